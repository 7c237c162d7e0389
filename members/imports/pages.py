"""The page that imports members: what it asks beside the file."""

from typing import Any, ClassVar, cast

from django import forms
from django.utils.translation import gettext_lazy

from kit.scope import scope_of
from kit.spreadsheet_admin import Choices, ConfirmForm, SheetImportMixin, UploadForm
from members.imports.members import MemberSheet
from members.models import Region, Store


class MemberChoices(Choices):
    region = forms.ModelChoiceField(
        label=gettext_lazy("Region of new members who have none"),
        queryset=Region.objects.none(),
        required=False,
    )
    store = forms.ModelChoiceField(
        label=gettext_lazy("Home store of new members who have none"),
        queryset=Store.objects.none(),
        required=False,
    )
    choice_names: ClassVar[tuple[str, ...]] = ("region", "store", *Choices.choice_names)

    def narrow(self, user: Any) -> None:
        scope = scope_of(user)
        stores = own_stores(user)
        regions = Region.objects.all()
        if not scope.sees_everything:
            regions = regions.filter(pk__in={*scope.regions, *(s.region_id for s in stores)})
        narrow_choice(self, "region", regions)
        narrow_choice(self, "store", stores)


class MemberUploadForm(MemberChoices, UploadForm):
    pass


class MemberConfirmForm(MemberChoices, ConfirmForm):
    pass


class MemberImports(SheetImportMixin):
    sheet = MemberSheet
    import_form_class = MemberUploadForm
    confirm_form_class = MemberConfirmForm


def own_stores(user: Any) -> Any:
    scope = scope_of(user)
    stores = Store.objects.filter(is_open=True)
    return stores if scope.sees_everything else stores.filter(pk__in=scope.stores)


def narrow_choice(form: forms.Form, name: str, rows: Any) -> None:
    asked = cast("forms.ModelChoiceField[Any]", form.fields[name])
    asked.queryset = rows
    if len(rows) == 1:  # Nobody is asked where there is no choice.
        asked.initial = rows[0].pk
