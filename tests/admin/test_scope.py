"""Nobody sees, changes, picks, exports or finds a row outside their scope, whatever the model.

The tests walk the registry, so a new admin class is in them from its first day.
"""

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.core.checks import run_checks
from django.db.models import ForeignKey
from django.test import Client, RequestFactory
from django.urls import reverse

from kit.admin import BaseAdmin, check_admin_base
from kit.scope import EVERYBODY
from tests.admin.conftest import World
from tests.admin.test_pages import admin_models, url_of

PAGES = ("change", "history", "delete")


def visible(model: Any, user: Any) -> set[Any]:
    request = RequestFactory().get("/admin/")
    request.user = type(user).objects.get(pk=user.pk)
    rows = admin.site._registry[model].get_queryset(request)
    return set(rows.values_list("pk", flat=True))


def hidden(model: Any, world: World) -> set[Any]:
    return visible(model, world.boss) - visible(model, world.manager)


def test_the_world_has_hidden_rows_of_every_kind_that_belongs_to_a_store(world: World) -> None:
    scoped = [
        model
        for model, desk in admin.site._registry.items()
        if desk.scope != EVERYBODY and visible(model, world.boss)  # type: ignore[attr-defined]
    ]

    assert [model for model in scoped if not hidden(model, world)] == []
    assert len(scoped) >= 14


def test_no_page_of_a_hidden_row_opens(world: World, as_manager: Client) -> None:
    opened = [
        (model._meta.label, page)
        for model in admin_models()
        for key in hidden(model, world)
        for page in PAGES
        if as_manager.get(url_of(model, page, key)).status_code == 200
    ]

    assert opened == []


def test_no_hidden_row_can_be_changed_or_deleted(world: World, as_manager: Client) -> None:
    for model in admin_models():
        for key in hidden(model, world):
            changed = as_manager.post(url_of(model, "change", key), {})
            deleted = as_manager.post(url_of(model, "delete", key), {"post": "yes"})

            assert changed.status_code in {302, 403, 404}, model
            assert deleted.status_code in {302, 403, 404}, model
            assert model._default_manager.filter(pk=key).exists()


def test_no_action_of_a_page_reaches_a_hidden_row(world: World, as_manager: Client) -> None:
    for model, desk in admin.site._registry.items():
        for act in desk._get_base_actions_detail():  # type: ignore[attr-defined]
            for key in hidden(model, world):
                url = reverse(f"admin:{act.action_name}", args=[key])

                assert as_manager.get(url).status_code == 403, url
                assert as_manager.post(url, {"_form_submitted": "1"}).status_code == 403, url


def test_no_list_shows_a_hidden_row(world: World, as_manager: Client) -> None:
    for model in admin_models():
        page = as_manager.get(url_of(model, "changelist"))
        if page.status_code != 200:
            continue
        shown = {row.pk for row in page.context["cl"].result_list}

        assert shown & hidden(model, world) == set(), model


def test_no_picker_offers_a_hidden_row(world: World, as_manager: Client) -> None:
    asked = 0
    for model, desk in admin.site._registry.items():
        for name in desk.get_autocomplete_fields(RequestFactory().get("/")):
            field = model._meta.get_field(name)
            options = model._meta
            query = {
                "app_label": options.app_label,
                "model_name": options.model_name,
                "field_name": name,
            }
            page = as_manager.get(f"{reverse('admin:autocomplete')}?{urlencode(query)}")
            offered = {row["id"] for row in json.loads(page.content).get("results", [])}
            asked += 1

            assert offered & {str(key) for key in hidden(field.related_model, world)} == set()
    assert asked >= 8


def test_no_form_accepts_a_hidden_related_row(world: World) -> None:
    request = RequestFactory().get("/admin/")
    request.user = world.manager
    for model, desk in admin.site._registry.items():
        for field in model._meta.get_fields():
            if (
                not isinstance(field, ForeignKey)
                or field.related_model not in admin.site._registry
            ):
                continue
            form_field = desk.formfield_for_foreignkey(field, request)
            if form_field is None:
                continue
            accepted = {row.pk for row in form_field.queryset or ()}

            assert accepted & hidden(field.related_model, world) == set(), (model, field)


def test_no_export_holds_a_hidden_row(world: World, as_manager: Client) -> None:
    exported = 0
    for model, desk in admin.site._registry.items():
        if not desk.export_fields:  # type: ignore[attr-defined]
            continue
        page = as_manager.post(url_of(model, "export"), {"format": "1", "resource": ""})
        text = page.content.decode("utf-8-sig")
        exported += 1

        assert page.status_code == 200, model
        assert page["Content-Type"].startswith("text/csv"), model
        for secret in (world.far.member.code, world.far.coupon.code, "TAIPEI"):
            assert secret not in text, model
    assert exported >= 10


def test_staff_without_a_scope_see_nothing_that_belongs_to_a_store(world: World) -> None:
    seen = {
        model: visible(model, world.nobody)
        for model, desk in admin.site._registry.items()
        if desk.scope != EVERYBODY  # type: ignore[attr-defined]
    }

    assert {model: rows for model, rows in seen.items() if rows} == {}


def test_a_whole_region_may_be_seen(world: World) -> None:
    scope = world.manager.scope
    scope.stores.clear()
    scope.regions.add(world.far.store.region)

    assert visible(type(world.far.member), world.manager) == {world.far.member.pk}
    assert world.far.coupon.pk in visible(type(world.far.coupon), world.manager)
    assert world.near.coupon.pk not in visible(type(world.near.coupon), world.manager)


def test_search_finds_only_what_is_in_scope(world: World, as_manager: Client) -> None:
    def found(term: str) -> str:
        page = as_manager.get(reverse("admin:search"), {"s": term, "extended": "1"})
        return page.content.decode()

    assert world.near.member.code in found(world.near.member.code)
    assert world.near.member.code in found("+85291234567")
    assert world.near.coupon.code in found(world.near.coupon.code)
    for term in (world.far.member.code, "+886912345678", "kit@example.com", world.far.coupon.code):
        assert "<li" not in found(term).split("command-results-note")[0].replace(
            '<li class="text-lg">', ""
        ), term


def test_names_and_addresses_are_masked_without_the_right_to_see_them(
    world: World, as_manager: Client
) -> None:
    as_cashier = Client()
    cashier = world.nobody
    cashier.groups.clear()
    cashier.user_permissions.set(permissions("view_member", "view_callback", "view_message"))
    type(world.manager.scope).objects.create(user=cashier).stores.add(world.near.store)
    as_cashier.force_login(cashier)
    member = url_of(type(world.near.member), "change", world.near.member.pk)

    open_page = as_manager.get(member).content.decode()
    masked_page = as_cashier.get(member).content.decode()

    assert "Mei Chan" in open_page
    assert "+85291234567" in open_page
    assert "mei@example.com" in open_page
    for secret in ("Mei Chan", "85291234567", "mei@example.com"):
        assert secret not in masked_page
    for model in admin_models():
        listed = as_cashier.get(url_of(model, "changelist"), follow=True)
        assert b"Mei Chan" not in listed.content, model
        assert b"85291234567" not in listed.content, model


def permissions(*codes: str) -> Any:
    return Permission.objects.filter(codename__in=codes)


def test_only_superusers_make_superusers(world: World) -> None:
    world.manager.scope.sees_everything = True
    world.manager.scope.save()
    request = RequestFactory().get("/admin/")
    request.user = type(world.manager).objects.get(pk=world.manager.pk)
    desk = admin.site._registry[type(world.boss)]

    assert desk.has_change_permission(request, world.nobody)
    assert not desk.has_change_permission(request, world.boss)
    assert "is_superuser" in desk.get_readonly_fields(request, world.nobody)
    assert "user_permissions" in desk.get_readonly_fields(request, world.nobody)


def test_the_check_refuses_a_class_that_is_not_on_the_base(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, desk = next(iter(admin.site._registry.items()))
    bare = admin.ModelAdmin(model, admin.site)
    nameless = type("Nameless", (BaseAdmin,), {})(model, admin.site)

    assert [problem.id for problem in run_checks() if str(problem.id).startswith("kit.")] == []
    monkeypatch.setitem(admin.site._registry, model, bare)
    assert [problem.id for problem in check_admin_base(None)] == ["kit.E001"]
    monkeypatch.setitem(admin.site._registry, model, nameless)
    assert [problem.id for problem in check_admin_base(None)] == ["kit.E002"]
    monkeypatch.setitem(admin.site._registry, model, desk)
    monkeypatch.setattr(desk, "inlines", [type("Bare", (admin.TabularInline,), {"model": model})])
    assert [problem.id for problem in check_admin_base(None)] == ["kit.E001"]
    monkeypatch.setattr(desk, "inlines", [])
    assert check_admin_base(None) == []
