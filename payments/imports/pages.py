"""The pages that import sales and products: what they ask beside the file."""

from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.money import known_currencies
from kit.spreadsheet_admin import Choices, ConfirmForm, SheetImportMixin, UploadForm
from members.imports.pages import narrow_choice, own_stores
from members.models import Store
from payments.imports.products import ProductSheet
from payments.imports.rates import RateSheet
from payments.imports.sales import SaleSheet


class SaleChoices(Choices):
    store = forms.ModelChoiceField(
        label=gettext_lazy("Store of rows that name none"),
        queryset=Store.objects.none(),
        required=False,
        help_text=gettext_lazy("Choose the same store when a file comes again."),
    )
    currency = forms.CharField(
        label=gettext_lazy("Currency of rows that name none"),
        max_length=3,
        required=False,
        help_text=gettext_lazy("Three letters, as in HKD; else the currency of the store."),
    )
    choice_names: ClassVar[tuple[str, ...]] = ("store", "currency", *Choices.choice_names)

    def narrow(self, user: Any) -> None:
        narrow_choice(self, "store", own_stores(user).select_related("region"))

    def clean_currency(self) -> str:
        code = str(self.cleaned_data["currency"]).strip().upper()
        if code and code not in known_currencies():
            raise forms.ValidationError(
                _("“%(value)s” is not a currency. Write its three letters, as in HKD.")
                % {"value": code}
            )
        return code


class SaleUploadForm(SaleChoices, UploadForm):
    pass


class SaleConfirmForm(SaleChoices, ConfirmForm):
    pass


class SaleImports(SheetImportMixin):
    """For transactions, which nobody changes by hand: the right to add them is enough."""

    sheet = SaleSheet
    import_form_class = SaleUploadForm
    confirm_form_class = SaleConfirmForm
    import_rights = ("add",)


class ProductImports(SheetImportMixin):
    sheet = ProductSheet


class RateImports(SheetImportMixin):
    """For exchange rates, which never change: the right to add them is enough."""

    sheet = RateSheet
    import_rights = ("add",)
