"""What Ctrl+K finds: members, coupons, transactions, orders; each within the scope of who asks."""

from collections.abc import Iterable
from typing import Any, Final

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from kit.ids import normal_code
from kit.masking import mask_name
from loyalty.models import Coupon
from members.models import Member
from members.search import members_matching
from payments.models import Order, Transaction
from payments.search import by_number

MOST: Final = 20
SHORTEST: Final = 3


def search(request: HttpRequest, search_term: str) -> list[SearchResult]:
    """Whole codes, references, phone numbers and addresses: every look-up stands on an index."""
    term = search_term.strip()
    if len(term) < SHORTEST:
        return []
    return [
        *_members(request, term),
        *_coupons(request, term),
        *_transactions(request, term),
        *_orders(request, term),
    ]


def _members(request: HttpRequest, term: str) -> Iterable[SearchResult]:
    rows = _visible(request, Member).select_related("home_store").filter(members_matching(term))
    for member in rows[:MOST]:
        place = f" · {member.home_store}" if member.home_store else ""
        yield _result(
            member, f"{member.code} {mask_name(member.name)}", _("Member") + place, "person"
        )


def _coupons(request: HttpRequest, term: str) -> Iterable[SearchResult]:
    rows = _visible(request, Coupon).select_related("type").filter(code=normal_code(term))
    for coupon in rows[:MOST]:
        yield _result(coupon, coupon.code, f"{_('Coupon')} · {coupon.type}", "confirmation_number")


def _transactions(request: HttpRequest, term: str) -> Iterable[SearchResult]:
    rows = _visible(request, Transaction).filter(by_number(term))
    for row in rows[:MOST]:
        words = f"{row.get_kind_display()} · {row.money}"
        yield _result(row, row.payment_ref, words, "receipt_long")


def _orders(request: HttpRequest, term: str) -> Iterable[SearchResult]:
    rows = _visible(request, Order).filter(order_ref=term)
    for row in rows[:MOST]:
        words = f"{capfirst(row._meta.verbose_name)} · {row.money}"
        yield _result(row, row.order_ref, words, "shopping_bag")


def _visible(request: HttpRequest, model: type[Model]) -> QuerySet[Any]:
    desk = admin.site._registry[model]
    rows = desk.get_queryset(request)
    return rows if desk.has_view_permission(request) else rows.none()


def _result(row: Model, title: str, description: str, icon: str) -> SearchResult:
    options = row._meta
    link = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    return SearchResult(title=title, description=description, link=link, icon=icon)
