"""The pages on which a settlement file is uploaded: the file, then, if need be, its columns."""

from dataclasses import replace
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
from payments.models import Account, Settlement, StatementMapping
from payments.services.reconcile.comparing import COMPARED_AT_ONCE, compare_again
from payments.services.reconcile.proposing import add_account_by_file
from payments.services.reconcile.reading import (
    GENERIC,
    format_of,
    headers_of,
    options_of,
    read_statement,
)
from payments.services.reconcile.taking import CannotTake, Upload, take_statement
from payments.statements import all_formats
from payments.statements.archives import unpacked

_CARRIED: Final = "settlement-upload"  # In the session: what was chosen beside the sealed file.


class StatementUploads:
    """Mixed into the admin of settlements."""

    admin_site: Any
    model: Any
    message_user: Any

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view
        return [
            path("upload/", view(self.upload), name="payments_settlement_upload"),
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

    def columns(self, request: HttpRequest) -> HttpResponse:
        """Which column is what, for a file that names them in its own way."""
        self._check(request)
        carried = request.session.get(_CARRIED) or {}
        account = self._accounts(request).filter(pk=carried.get("account")).first()
        try:
            content = SealedUploads(name=carried.get("upload", "")).read()
        except UploadIsGone:
            account = None
        if account is None:
            self.message_user(request, _("Please upload the file again."), "warning")
            return redirect("admin:payments_settlement_upload")
        headers = headers_of(content, encoding=carried["encoding"])
        form = MappingForm(request.POST or None, headers=headers, initial=_remembered(account))
        if request.method == "POST" and form.is_valid():
            try:
                settlement = self._take_mapped(request, account, content, form)
            except (BrokenSheet, CannotTake) as problem:
                form.add_error(None, str(problem))
            else:
                SealedUploads(name=carried["upload"]).remove()
                del request.session[_CARRIED]
                return redirect("admin:payments_settlement_change", settlement.pk)
        return self._page(request, _("Which column is what?"), form, is_upload=False)

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
        """Take the file in, or ask for its columns first."""
        content = unpacked(given["file"].read())
        account, encoding = given["account"], given["encoding"]
        form = all_formats().get(given["form"]) or format_of(content, encoding=encoding)
        if form.code == GENERIC:
            return self._carry(request, given, content)
        options = options_of(account, encoding=encoding)
        statement = read_statement(content, form, options)
        upload = Upload(
            account=account,
            form=form.code,
            content=content,
            name=given["file"].name,
            starts_on=given["starts_on"],
            ends_on=given["ends_on"],
        )
        settlement = take_statement(upload, statement, user=request.user, now=timezone.now())
        self._compare(request, settlement)
        return redirect("admin:payments_settlement_change", settlement.pk)

    def _carry(self, request: HttpRequest, given: dict[str, Any], content: bytes) -> HttpResponse:
        headers_of(content, encoding=given["encoding"])  # Says now what cannot be read.
        sealed = SealedUploads()
        sealed.save(content)
        request.session[_CARRIED] = {
            "upload": sealed.name,
            "name": given["file"].name,
            "account": given["account"].pk,
            "encoding": given["encoding"],
            "days": [str(given[day]) if given[day] else "" for day in ("starts_on", "ends_on")],
        }
        return redirect("admin:payments_settlement_columns")

    def _take_mapped(
        self, request: HttpRequest, account: Account, content: bytes, form: MappingForm
    ) -> Settlement:
        carried = request.session[_CARRIED]
        chosen = {name: form.cleaned_data[name] for name in ("sign", "day_order")}
        options = replace(
            options_of(account, encoding=carried["encoding"]), columns=form.columns, **chosen
        )
        statement = read_statement(content, all_formats()[GENERIC], options)
        days = [date.fromisoformat(day) if day else None for day in carried["days"]]
        upload = Upload(account, GENERIC, content, carried["name"], *days)
        settlement = take_statement(upload, statement, user=request.user, now=timezone.now())
        if form.cleaned_data["remember"]:
            StatementMapping.objects.update_or_create(
                account=account, defaults={"columns": form.columns, **chosen}
            )
        self._compare(request, settlement)
        return settlement

    def _compare(self, request: HttpRequest, settlement: Settlement) -> None:
        compare_again(settlement, now=timezone.now())
        if settlement.rows_read > COMPARED_AT_ONCE:
            words = _("The file is large; it is compared within the next minutes.")
            self.message_user(request, words)

    def _page(
        self, request: HttpRequest, title: str, form: Any, *, is_upload: bool
    ) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": title,
            "form": form,
            "is_upload": is_upload,
            "formats": list(all_formats().values()),
            "may_add_account": request.user.has_perm("payments.add_account"),
            "opts": self.model._meta,
        }
        return TemplateResponse(request, "admin/payments/statement_upload.html", context)


def _remembered(account: Account) -> dict[str, str]:
    mapping = StatementMapping.objects.filter(account=account).first()
    if mapping is None:
        return {}
    return {**mapping.columns, "sign": mapping.sign, "day_order": mapping.day_order}
