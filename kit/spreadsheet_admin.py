"""The admin's import pages: upload, preview with everything that is wrong, confirm."""

from typing import Any, ClassVar, cast

from django import forms
from django.contrib import messages
from django.contrib.admin.models import ADDITION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from import_export.admin import ImportMixin
from import_export.forms import ConfirmImportForm
from unfold.contrib.import_export.forms import ImportForm
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from kit.spreadsheet_import import CHANGED, NEW, SAME, SheetResource, SheetResult
from kit.spreadsheet_reading import MOST_BYTES
from kit.spreadsheet_uploads import SealedUploads, UploadIsGone
from kit.spreadsheets import AnySheet, write_xlsx

ENCODINGS = [
    ("", gettext_lazy("Find out by itself")),
    ("utf-8", "UTF-8"),
    ("big5hkscs", gettext_lazy("Big5 / Big5-HKSCS (Hong Kong, Taiwan)")),
    ("gb18030", gettext_lazy("GB18030 / GBK (mainland China)")),
]


class Choices(forms.Form):
    """What is chosen beside the file; asked at upload, carried hidden to the confirmation."""

    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding of a CSV file"), choices=ENCODINGS, required=False
    )
    skips_invalid = forms.BooleanField(
        label=gettext_lazy("Leave out rows with errors and import the rest"), required=False
    )
    choice_names: ClassVar[tuple[str, ...]] = ("encoding", "skips_invalid")

    def narrow(self, user: Any) -> None:
        """Offer only what `user` may choose."""

    @property
    def choices(self) -> dict[str, Any]:
        return {name: self.cleaned_data.get(name) for name in self.choice_names}

    def dress(self) -> None:
        for name in self.choice_names:
            asked = self.fields[name]
            if isinstance(asked, forms.BooleanField):
                asked.widget = UnfoldBooleanWidget()
            elif isinstance(asked, forms.ChoiceField):
                asked.widget = UnfoldAdminSelectWidget(choices=asked.choices)
            else:
                asked.widget = UnfoldAdminTextInputWidget()

    def hide(self) -> None:
        for name in self.choice_names:
            self.fields[name].widget = forms.HiddenInput()


class UploadForm(Choices, ImportForm):  # type: ignore[misc]
    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.narrow(user)
        self.dress()
        self.fields["format"].widget = forms.HiddenInput()
        self.initial["format"] = "0"
        self.order_fields(["import_file", *self.choice_names])

    def clean_import_file(self) -> Any:
        uploaded = self.cleaned_data["import_file"]
        if uploaded.size > MOST_BYTES:
            raise forms.ValidationError(
                _("The file is larger than %(size)s MB. Split it into several files.")
                % {"size": MOST_BYTES // 1024 // 1024}
            )
        return uploaded


class ConfirmForm(Choices, ConfirmImportForm):  # type: ignore[misc]
    format = forms.ChoiceField(choices=[("0", "0")], widget=forms.HiddenInput())

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.narrow(user)
        self.hide()


class SheetImportMixin(ImportMixin):  # type: ignore[misc]
    """For an admin class: `sheet = MemberSheet` and, where more is asked, the two forms.

    Import-export's own pages and steps; what is ours is the resource, sealed uploads, and that
    no file, however broken, and no second click ends in an error page.
    """

    sheet: type[SheetResource]
    import_form_class = UploadForm
    confirm_form_class = ConfirmForm
    import_template_name = "admin/sheets/import.html"
    import_export_change_list_template = "admin/import_export/change_list_import_export.html"
    import_formats = [AnySheet]
    import_rights: ClassVar[tuple[str, ...]] = ("add", "change")
    tmp_storage_class = SealedUploads
    model: Any
    admin_site: Any

    def after_import(self, result: SheetResult) -> None:
        """What else follows from an import; called once it stands in the database."""

    def has_import_permission(self, request: HttpRequest) -> bool:
        """The user is asked, not the class: no admin class of a fact permits anything."""
        label, name = self.model._meta.app_label, self.model._meta.model_name
        return bool(
            request.user.has_perms([f"{label}.{right}_{name}" for right in self.import_rights])
        )

    def get_urls(self) -> list[Any]:
        template = path(
            "import/template/",
            self.admin_site.admin_view(self.sheet_template),
            name="{}_{}_import_template".format(*self.get_model_info()),
        )
        return [template, *super().get_urls()]

    def get_import_formats(self) -> list[Any]:
        return list(self.import_formats)

    def get_import_resource_classes(self, request: HttpRequest) -> list[Any]:
        return [self.sheet]

    def get_import_resource_kwargs(self, request: HttpRequest, **kwargs: Any) -> dict[str, Any]:
        form: Any = kwargs.get("form")
        return {
            "choices": form.choices if form and form.is_bound and form.is_valid() else {},
            "user": request.user,
            "now": timezone.now(),
        }

    def get_import_form_kwargs(self, request: HttpRequest) -> dict[str, Any]:
        return {**super().get_import_form_kwargs(request), "user": request.user}

    def get_confirm_form_kwargs(self, request: HttpRequest, import_form: Any = None) -> Any:
        return {**super().get_confirm_form_kwargs(request, import_form), "user": request.user}

    def get_confirm_form_initial(self, request: HttpRequest, import_form: Any) -> dict[str, Any]:
        initial = cast("dict[str, Any]", super().get_confirm_form_initial(request, import_form))
        if import_form is not None:
            carried = {name: import_form[name].value() for name in import_form.choice_names}
            initial.update(carried)
        return initial

    def get_import_context_data(self, **_kwargs: Any) -> dict[str, Any]:
        columns = list(self.sheet.fields.values())
        return {"columns": columns, "template_url": self._url("import_template")}

    def process_import(self, request: HttpRequest, **kwargs: Any) -> HttpResponse:
        if not self.has_import_permission(request):
            raise PermissionDenied
        if request.method != "POST" or not self.create_confirm_form(request).is_valid():
            return self._refuse(request, _("Nothing was imported. Please upload the file again."))
        try:
            return cast("HttpResponse", super().process_import(request, **kwargs))
        except UploadIsGone:
            return self._refuse(
                request,
                _("This file was imported already or has expired. Please upload it again."),
            )
        except IntegrityError:
            return self._refuse(
                request,
                _(
                    "Somebody changed the same records in this moment, so nothing was imported."
                    " Please upload the file again."
                ),
            )

    def process_result(self, result: SheetResult, request: HttpRequest) -> HttpResponse:
        if result.has_errors() or result.has_validation_errors():
            return self._refuse(
                request,
                _(
                    "The file no longer fits what is in the database, so nothing was imported."
                    " Please upload it again to see why."
                ),
            )
        self.after_import(result)
        self._log(result, request)
        messages.success(request, self.sentence_of(result))
        return HttpResponseRedirect(self._url("changelist"))

    def sentence_of(self, result: SheetResult) -> str:
        figures = {
            "new": result.totals[NEW],
            "changed": result.totals[CHANGED],
            "same": result.totals[SAME],
            "left_out": result.totals["invalid"],
        }
        return (
            _(
                "Imported: %(new)s rows new, %(changed)s changed, %(same)s known before,"
                " %(left_out)s left out."
            )
            % figures
        )

    def sheet_template(self, request: HttpRequest) -> HttpResponse:
        """An empty sheet with this import's columns in the reader's language."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        columns = list(self.sheet.fields.values())
        content = write_xlsx([column.label for column in columns], [])
        response = HttpResponse(
            content,
            content_type="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        )
        name = f"{self.model._meta.model_name}-template.xlsx"
        response["Content-Disposition"] = f'attachment; filename="{name}"'
        return response

    def _log(self, result: SheetResult, request: HttpRequest) -> None:
        LogEntry.objects.create(
            user_id=cast("int", request.user.pk),
            content_type=ContentType.objects.get_for_model(self.model),
            object_repr=str(request.POST.get("original_file_name", ""))[:200],
            action_flag=ADDITION,
            change_message=self.sentence_of(result),
        )

    def _refuse(self, request: HttpRequest, sentence: str) -> HttpResponse:
        messages.error(request, sentence)
        return HttpResponseRedirect(self._url("import"))

    def _url(self, page: str) -> str:
        label, name = self.model._meta.app_label, self.model._meta.model_name
        return reverse(f"admin:{label}_{name}_{page}", current_app=self.admin_site.name)
