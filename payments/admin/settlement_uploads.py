"""The pages on which a settlement file is uploaded: the file, then, if need be, its columns; and
whether a file that was taken in before is meant."""

from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _

from kit.scope import scope_of
from kit.spreadsheet_reading import BrokenSheet
from kit.spreadsheet_uploads import SealedUploads, UploadIsGone
from members.models import Store
from payments.admin.settlement_forms import AccountByFileForm, MappingForm, StatementForm
from payments.admin.settlement_preview import Preview, preview_of
from payments.models import Account, Settlement, StatementMapping
from payments.services.accounts import add_account_by_file
from payments.services.reconcile.comparing import COMPARED_AT_ONCE, compare_again
from payments.services.reconcile.reading import (
    GENERIC,
    format_of,
    options_of,
    read_statement,
    table_of,
)
from payments.services.reconcile.repeats import earlier_upload
from payments.services.reconcile.taking import CannotTake, Upload, take_statement
from payments.statements import all_formats
from payments.statements.archives import unpacked
from payments.statements.base import Statement
from payments.statements.generic import FIELDS

_CARRIED: Final = "settlement-file"  # In the session: what was chosen beside the sealed file.


@dataclass(frozen=True, slots=True)
class _Carried:
    """An upload that waits for an answer.

    is_again: it was taken in before, and somebody said that it comes in its place
    """

    account: Account
    content: bytes
    form: str
    name: str
    encoding: str
    days: tuple[date | None, date | None]
    is_again: bool

    def upload(self) -> Upload:
        earlier = earlier_upload(self.account, self.content) if self.is_again else None
        return Upload(self.account, self.form, self.content, self.name, *self.days, earlier)


class StatementUploads:
    """Mixed into the admin of settlements."""

    admin_site: Any
    model: Any
    message_user: Any

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("upload/", view(self.upload), name="payments_settlement_upload"),
            path("upload/again/", view(self.again), name="payments_settlement_again"),
            path("upload/columns/", view(self.columns), name="payments_settlement_columns"),
            path("upload/account/", view(self.account), name="payments_settlement_account"),
            *super().get_urls(),  # type: ignore[misc]
        ]

    def has_upload_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("payments.add_settlement"))

    def upload(self, request: HttpRequest) -> HttpResponse:
        self._check(request)
        accounts = self._accounts(request)
        form = StatementForm(
            request.POST or None,
            request.FILES or None,
            accounts=accounts,
            initial={"account": request.GET.get("account", "")},
        )
        if request.method == "POST" and form.is_valid():
            try:
                return self._read(request, form.cleaned_data)
            except (BrokenSheet, CannotTake) as problem:
                form.add_error("file", str(problem))
        return self._page(request, _("Upload a settlement file"), form, is_upload=True)

    def again(self, request: HttpRequest) -> HttpResponse:
        """For a file that was taken in before: look there, or take it in once more."""
        self._check(request)
        carried = self._carried(request)
        earlier = earlier_upload(carried.account, carried.content) if carried else None
        if carried is None or earlier is None:
            return self._upload_again(request)
        if request.method != "POST":
            context = {
                **self.admin_site.each_context(request),
                "title": _("This file was taken in already"),
                "earlier": earlier,
                "name": carried.name,
                "opts": self.model._meta,
            }
            return TemplateResponse(request, "admin/payments/statement_again.html", context)
        if request.POST.get("earlier") != str(earlier.pk):  # Somebody was faster.
            return redirect("admin:payments_settlement_change", earlier.pk)
        request.session[_CARRIED] |= {"is_again": True}
        if carried.form == GENERIC:
            return redirect("admin:payments_settlement_columns")
        try:
            return self._take(request, replace(carried, is_again=True))
        except (BrokenSheet, CannotTake) as problem:
            self.message_user(request, str(problem), "error")
            return redirect("admin:payments_settlement_upload")

    def columns(self, request: HttpRequest) -> HttpResponse:
        """Which column is what, for a file that names them in its own way."""
        self._check(request)
        carried = self._carried(request)
        if carried is None:
            return self._upload_again(request)
        sheet = table_of(carried.content, encoding=carried.encoding)
        known = _remembered(carried.account)
        preview = preview_of(sheet, {name: known[name] for name in FIELDS if name in known})
        form = MappingForm(
            request.POST or None,
            headers=sheet.headers,
            examples=preview.examples,
            initial=known,
        )
        if request.method == "POST" and form.is_valid():
            try:
                return self._take_mapped(request, carried, form)
            except (BrokenSheet, CannotTake) as problem:
                form.add_error(None, str(problem))
        title = _("Which column is what?")
        return self._page(request, title, form, is_upload=False, preview=preview)

    def account(self, request: HttpRequest) -> HttpResponse:
        if not request.user.has_perm("payments.add_account"):
            raise PermissionDenied
        stores = self.admin_site._registry[Store].get_queryset(request)
        form = AccountByFileForm(
            request.POST or None,
            stores=stores,
            needs_store=not scope_of(request.user).sees_everything,
        )
        if request.method == "POST" and form.is_valid():
            given = form.cleaned_data
            account = add_account_by_file(
                given["provider"], name=given["name"], store=given["store"]
            )
            url = redirect("admin:payments_settlement_upload").url
            return redirect(f"{url}?account={account.pk}")
        return self._page(request, _("An account that lives by file"), form, is_upload=False)

    def _check(self, request: HttpRequest) -> None:
        if not self.has_upload_permission(request):
            raise PermissionDenied

    def _accounts(self, request: HttpRequest) -> Any:
        return self.admin_site._registry[Account].get_queryset(request)

    def _read(self, request: HttpRequest, given: dict[str, Any]) -> HttpResponse:
        """Take the file in, or ask for its columns or whether it is meant first."""
        content = unpacked(given["file"].read())
        encoding = given["encoding"]
        form = all_formats().get(given["form"]) or format_of(content, encoding=encoding)
        carried = _Carried(
            account=given["account"],
            content=content,
            form=form.code,
            name=given["file"].name,
            encoding=encoding,
            days=(given["starts_on"], given["ends_on"]),
            is_again=False,
        )
        if form.code == GENERIC:
            table_of(content, encoding=encoding)  # Says now what cannot be read.
        if earlier_upload(carried.account, content) is not None:
            _carry(request, carried)
            return redirect("admin:payments_settlement_again")
        if form.code == GENERIC:
            _carry(request, carried)
            return redirect("admin:payments_settlement_columns")
        return self._take(request, carried)

    def _carried(self, request: HttpRequest) -> _Carried | None:
        """What waits for an answer; None if it is gone, or of an account out of scope."""
        kept = request.session.get(_CARRIED) or {}
        account = self._accounts(request).filter(pk=kept.get("account")).first()
        try:
            content = SealedUploads(name=kept.get("upload", "")).read()
        except UploadIsGone:
            return None
        if account is None:
            return None
        starts_on, ends_on = (date.fromisoformat(day) if day else None for day in kept["days"])
        return _Carried(
            account=account,
            content=content,
            form=kept["form"],
            name=kept["name"],
            encoding=kept["encoding"],
            days=(starts_on, ends_on),
            is_again=kept["is_again"],
        )

    def _upload_again(self, request: HttpRequest) -> HttpResponse:
        self.message_user(request, _("Please upload the file again."), "warning")
        return redirect("admin:payments_settlement_upload")

    def _take(self, request: HttpRequest, carried: _Carried) -> HttpResponse:
        options = options_of(carried.account, encoding=carried.encoding)
        statement = read_statement(carried.content, all_formats()[carried.form], options)
        return self._taken(request, carried.upload(), statement)

    def _take_mapped(
        self, request: HttpRequest, carried: _Carried, form: MappingForm
    ) -> HttpResponse:
        chosen = {name: form.cleaned_data[name] for name in ("sign", "day_order")}
        options = replace(
            options_of(carried.account, encoding=carried.encoding), columns=form.columns, **chosen
        )
        statement = read_statement(carried.content, all_formats()[GENERIC], options)
        answer = self._taken(request, carried.upload(), statement)
        if form.cleaned_data["remember"]:
            StatementMapping.objects.update_or_create(
                account=carried.account, defaults={"columns": form.columns, **chosen}
            )
        return answer

    def _taken(self, request: HttpRequest, upload: Upload, statement: Statement) -> HttpResponse:
        settlement = take_statement(upload, statement, user=request.user, now=timezone.now())
        kept = request.session.pop(_CARRIED, None)
        if kept is not None:
            SealedUploads(name=kept["upload"]).remove()
        self._compare(request, settlement)
        return redirect("admin:payments_settlement_change", settlement.pk)

    def _compare(self, request: HttpRequest, settlement: Settlement) -> None:
        compare_again(settlement, now=timezone.now())
        if settlement.rows_read > COMPARED_AT_ONCE:
            words = _("The file is large; it is compared within the next minutes.")
            self.message_user(request, words)

    def _page(
        self,
        request: HttpRequest,
        title: str,
        form: Any,
        *,
        is_upload: bool,
        preview: Preview | None = None,
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "is_upload": is_upload,
            "preview": preview,
            "formats": list(all_formats().values()),
            "may_add_account": request.user.has_perm("payments.add_account"),
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "admin/payments/statement_upload.html", context)


def _carry(request: HttpRequest, carried: _Carried) -> None:
    """Keep an upload, sealed, until its questions are answered."""
    sealed = SealedUploads()
    sealed.save(carried.content)
    request.session[_CARRIED] = {
        "upload": sealed.name,
        "name": carried.name,
        "account": carried.account.pk,
        "form": carried.form,
        "encoding": carried.encoding,
        "days": [str(day) if day else "" for day in carried.days],
        "is_again": carried.is_again,
    }


def _remembered(account: Account) -> dict[str, str]:
    mapping = StatementMapping.objects.filter(account=account).first()
    if mapping is None:
        return {}
    return {**mapping.columns, "sign": mapping.sign, "day_order": mapping.day_order}
