"""What is asked for beside a settlement file, and which of its columns is what."""

from collections.abc import Mapping
from typing import Any, Final

from django import forms
from django.utils.text import capfirst
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import (
    UnfoldAdminDateWidget,
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from kit.spreadsheet_admin import ENCODINGS
from kit.spreadsheet_reading import MOST_BYTES
from members.models import Store
from payments.models import Account, StatementMapping
from payments.services.accounts import BY_FILE
from payments.statements import all_formats
from payments.statements.generic import FIELDS, guess

_FIND_OUT: Final = gettext_lazy("Find out by itself")


class StatementForm(forms.Form):
    account = forms.ModelChoiceField(
        label=gettext_lazy("Account"),
        queryset=Account.objects.none(),
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("The account at the platform or bank that the file is of."),
    )
    file = forms.FileField(label=gettext_lazy("File"), widget=UnfoldAdminFileFieldWidget())
    form = forms.ChoiceField(label=gettext_lazy("Format"), required=False)
    encoding = forms.ChoiceField(
        label=gettext_lazy("Encoding of a CSV file"),
        choices=ENCODINGS,
        required=False,
        widget=UnfoldAdminSelectWidget(choices=ENCODINGS),
    )
    starts_on = forms.DateField(
        label=gettext_lazy("From (day)"),
        required=False,
        widget=UnfoldAdminDateWidget(),
        help_text=gettext_lazy("Only if the file does not say it: its first day."),
    )
    ends_on = forms.DateField(
        label=gettext_lazy("Until (day)"),
        required=False,
        widget=UnfoldAdminDateWidget(),
        help_text=gettext_lazy("Its last day. Payments of ours in between must be in the file."),
    )

    def __init__(self, *args: Any, accounts: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["account"]
        field.queryset = accounts
        choices = [("", _FIND_OUT), *((code, form.label) for code, form in all_formats().items())]
        formats: Any = self.fields["form"]
        formats.choices = choices
        formats.widget = UnfoldAdminSelectWidget(choices=choices)

    def clean_file(self) -> Any:
        uploaded = self.cleaned_data["file"]
        if uploaded.size > MOST_BYTES:
            raise forms.ValidationError(
                _("The file is larger than %(size)s MB. Split it into several files.")
                % {"size": MOST_BYTES // 1024 // 1024}
            )
        return uploaded

    def clean(self) -> dict[str, Any]:
        """A period that was typed is checked here: a file may need another page before it is."""
        cleaned = super().clean() or {}
        starts_on, ends_on = cleaned.get("starts_on"), cleaned.get("ends_on")
        if starts_on and ends_on and ends_on < starts_on:
            self.add_error("ends_on", _("The period ends before it begins."))
        return cleaned


class MappingForm(forms.Form):
    """One choice for each field: the file's own header with an example, or nothing."""

    sign = forms.ChoiceField(
        label=gettext_lazy("Payments and refunds"),
        choices=StatementMapping.Sign,
        widget=UnfoldAdminSelectWidget(choices=StatementMapping.Sign.choices),
    )
    day_order = forms.ChoiceField(
        label=gettext_lazy("Dates"),
        choices=StatementMapping.DayOrder,
        widget=UnfoldAdminSelectWidget(choices=StatementMapping.DayOrder.choices),
    )
    remember = forms.BooleanField(
        label=gettext_lazy("Remember this for the account's next file"),
        required=False,
        initial=True,
        widget=UnfoldBooleanWidget(),
    )

    def __init__(
        self, *args: Any, headers: tuple[str, ...], examples: Mapping[str, str], **kwargs: Any
    ) -> None:
        guessed = guess(headers)
        kwargs.setdefault("initial", {})
        kwargs["initial"] = {**_first_choices(guessed), **kwargs["initial"]}
        super().__init__(*args, **kwargs)
        choices = [
            ("", "–"),
            *((header, _with_example(header, examples)) for header in headers if header),
        ]
        for name, label in FIELDS.items():
            self.fields[name] = forms.ChoiceField(
                label=capfirst(label),
                choices=choices,
                required=False,
                widget=UnfoldAdminSelectWidget(choices=choices),
            )
        self.order_fields([*FIELDS, "sign", "day_order", "remember"])

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("time"):
            self.add_error("time", _("Choose the column of the time."))
        needed = "credit" if cleaned.get("sign") == StatementMapping.Sign.COLUMNS else "amount"
        if not cleaned.get(needed):
            self.add_error(needed, _("Choose the column of the amount."))
        return cleaned

    @property
    def columns(self) -> dict[str, str]:
        return {name: self.cleaned_data[name] for name in FIELDS if self.cleaned_data.get(name)}


class AccountByFileForm(forms.Form):
    """An account that has no callbacks, only statements."""

    provider = forms.ChoiceField(
        label=gettext_lazy("Platform"),
        choices=list(BY_FILE.items()),
        widget=UnfoldAdminSelectWidget(choices=list(BY_FILE.items())),
    )
    name = forms.CharField(
        label=gettext_lazy("Name"), max_length=120, widget=UnfoldAdminTextInputWidget()
    )
    store = forms.ModelChoiceField(
        label=gettext_lazy("Store"),
        queryset=Store.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=gettext_lazy("Its clock and currency count for the files, and its points."),
    )

    def __init__(self, *args: Any, stores: Any, needs_store: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["store"]
        field.queryset, field.required = stores, needs_store


def _with_example(header: str, examples: Mapping[str, str]) -> str:
    example = examples.get(header, "")
    return f"{header} = {example}" if example else header


def _first_choices(guessed: dict[str, str]) -> dict[str, str]:
    has_columns = "credit" in guessed and "amount" not in guessed
    sign = StatementMapping.Sign.COLUMNS if has_columns else StatementMapping.Sign.MINUS
    return {**guessed, "sign": sign, "day_order": StatementMapping.DayOrder.YMD}
