"""The content of posts: masked for everybody, unmasked for a reason that is kept."""

import json
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, cast
from urllib.parse import parse_qsl

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminTextInputWidget

from kit.admin import action
from kit.crypto import CannotDecrypt
from kit.masking import mask_payload, mask_text
from kit.work import hold_keys
from members.models import Programme
from payments.models import Account, Disclosure
from payments.providers.base import Inbound
from payments.services.bodies import unseal
from payments.services.retention import kept_since

UNMASK: Final = "payments.unmask_callback"
# So long the unmasked page opens for whoever gave the reason.
_OPEN_FOR: Final = timedelta(minutes=10)
_ONE_CLICK: Final = timedelta(minutes=1)


class ReasonDialog(BaseDialogForm):  # type: ignore[misc]
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        min_length=2,
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=gettext_lazy(
            "Say why you need to read it, such as “customer complaint” or the number of a case."
            " Your reason is kept for auditors, with your name."
        ),
    )


def readable_body(inbound: Inbound) -> Any:
    """JSON and forms as trees, anything else as text, JSON that is nested too deep among it."""
    text = _text_of(inbound)
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pairs = parse_qsl(text, keep_blank_values=True)
        return dict(pairs) if len(pairs) > 1 else text


def shown_payload(sealed: Any, *, received_at: datetime, is_masked: bool = True) -> str:
    """The post as staff may read it, or why it cannot be read."""
    if sealed is None:
        return why_gone(received_at)
    try:
        inbound = unseal(sealed)
    except CannotDecrypt:
        return _("The key that this content was sealed with is missing.")
    shown = _shown_body(inbound, is_masked=is_masked)
    # JSON may name half of a character ("\ud800"), which no page can be encoded with.
    shown = shown[:20_000].encode("utf-8", "replace").decode()
    return render_to_string(
        "admin/payments/payload.html",
        {"method": inbound.method, "body": shown, "is_masked": is_masked},
    )


def _shown_body(inbound: Inbound, *, is_masked: bool) -> str:
    body = readable_body(inbound)
    if is_masked:
        body = mask_text(body) if isinstance(body, str) else mask_payload(body)
    if isinstance(body, str):
        return body
    try:
        return json.dumps(body, indent=2, ensure_ascii=False)
    except RecursionError:  # Masking cuts off what is so deep: these are the bytes as they came.
        return _text_of(inbound)


def _text_of(inbound: Inbound) -> str:
    return inbound.body.decode("utf-8", "replace")


def why_gone(received_at: datetime) -> str:
    """Why there is no content: it was too large, or it is older than content is kept."""
    programme = Programme.current()
    if received_at < kept_since(now=timezone.now(), months=programme.bodies_kept_months):
        return _(
            "The content was deleted: the programme keeps it for %(months)d months. What was"
            " booked from it stays; it cannot be replayed."
        ) % {"months": programme.bodies_kept_months}
    return _("The content was not kept.")


def disclose(
    row: Any, *, account: Account, subject: str, reason: str, by: Any, now: datetime
) -> Disclosure:
    """Keep who reads the post unmasked, and why; call it before it is shown.

    The same person, post and reason within a minute, as of a double click, are kept once.
    """
    with transaction.atomic():
        hold_keys([f"disclosure:{subject}:{row.pk}"])
        same = Disclosure.objects.filter(
            seen_by=by.pk, subject=subject, subject_id=str(row.pk), reason=reason
        )
        kept = same.filter(seen_at__gt=now - _ONE_CLICK).first()
        return kept or _keep(row, account=account, subject=subject, reason=reason, by=by, now=now)


def _keep(
    row: Any, *, account: Account, subject: str, reason: str, by: Any, now: datetime
) -> Disclosure:
    (kept,) = Disclosure.record([
        Disclosure(
            account=account,
            subject=subject,
            subject_id=str(row.pk),
            name=str(row)[:200],
            reason=reason,
            seen_by=cast("User", by),
            seen_at=now,
        )
    ])  # fmt: skip
    return kept


class Unmasking:
    """Mixed into the admin of posts: a button that asks for a reason, and a page for minutes."""

    subject: ClassVar[str]
    admin_site: Any
    model: Any
    get_object: Any
    is_in_scope: Any

    def sealed_of(self, row: Any) -> Any:
        return row.sealed

    def account_of(self, row: Any) -> Account:
        raise NotImplementedError

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(never_cache(self.unmasked))
        name = f"payments_{self.model._meta.model_name}_unmasked"
        return [
            path("<path:object_id>/unmasked/<uuid:disclosure>/", view, name=name),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def has_unmask_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm(UNMASK)) and self.is_in_scope(request, obj)

    @action(
        description=gettext_lazy("Show unmasked"),
        icon="visibility",
        permissions=["unmask"],
        dialog={
            "title": gettext_lazy("Show the content with its personal data?"),
            "description": gettext_lazy("Who looked, when and why is kept for good."),
            "form_class": ReasonDialog,
            "form_submit_text": gettext_lazy("Show"),
        },
    )
    def unmask(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        row = self.get_object(request, object_id)
        kept = disclose(
            row,
            account=self.account_of(row),
            subject=self.subject,
            reason=form.cleaned_data["reason"],
            by=request.user,
            now=timezone.now(),
        )
        name = f"admin:payments_{self.model._meta.model_name}_unmasked"
        return HttpResponse(headers={"HX-Redirect": reverse(name, args=[row.pk, kept.pk])})

    def unmasked(self, request: HttpRequest, object_id: str, disclosure: Any) -> HttpResponse:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404
        kept = Disclosure.objects.filter(
            pk=disclosure,
            subject=self.subject,
            subject_id=str(row.pk),
            seen_by=request.user.pk,
            seen_at__gte=timezone.now() - _OPEN_FOR,
        ).first()
        if kept is None or not self.has_unmask_permission(request, row):
            raise PermissionDenied
        context = {
            **self.admin_site.each_context(request),
            "title": _("Content, unmasked"),
            "reason": kept.reason,
            "payload": shown_payload(
                self.sealed_of(row), received_at=row.received_at, is_masked=False
            ),
            "opts": self.model._meta,
            "original": row,
        }
        return TemplateResponse(request, "admin/payments/unmasked.html", context)
