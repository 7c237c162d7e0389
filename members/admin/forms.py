"""The forms and dialogs of the members' part of the admin."""

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.forms import BaseDialogForm
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from members.identity_kinds import CUSTOMER, EMAIL, PHONE, WALLET, kind_label
from members.models import Member
from members.services.identities import BadIdentity, find_member, normalise_identity

_TYPED = (PHONE, EMAIL, WALLET, CUSTOMER)


def check_identity(kind: str, value: str, *, country: str) -> str:
    """The one spelling of a new identity; a sentence for staff if it cannot be added."""
    try:
        normal = normalise_identity(kind, value, country=country)
    except BadIdentity as problem:
        raise forms.ValidationError(str(problem)) from problem
    if find_member(kind=kind, value=normal) is not None:
        raise forms.ValidationError(
            _("This %(kind)s belongs to another member already."),
            params={"kind": kind_label(kind)},
        )
    return normal


class EnrolForm(forms.ModelForm[Member]):
    phone = forms.CharField(
        label=_("Phone"),
        required=False,
        max_length=40,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "tel", "autocomplete": "off"}),
    )
    email = forms.CharField(
        label=_("E-mail"),
        required=False,
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "off"}),
    )

    class Meta:
        model = Member
        fields = ["name", "region", "home_store", "language", "born_on"]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        region = cleaned.get("region")
        for kind in ("phone", "email"):
            if cleaned.get(kind) and region is not None:
                try:
                    country = region.phone_country
                    cleaned[kind] = check_identity(kind, cleaned[kind], country=country)
                except forms.ValidationError as problem:
                    self.add_error(kind, problem)
        return cleaned


class IdentityDialog(BaseDialogForm):  # type: ignore[misc]
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[(kind, kind_label(kind)) for kind in _TYPED],
        widget=UnfoldAdminSelectWidget(choices=[(kind, kind_label(kind)) for kind in _TYPED]),
    )
    value = forms.CharField(label=_("Value"), max_length=254, widget=UnfoldAdminTextInputWidget())

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if "value" in cleaned and "kind" in cleaned:
            member = Member.objects.select_related("region").get(pk=self.object_id)
            try:
                country = member.region.phone_country
                check_identity(cleaned["kind"], cleaned["value"], country=country)
            except forms.ValidationError as problem:
                self.add_error("value", problem)
        return cleaned


class ConsentDialog(BaseDialogForm):  # type: ignore[misc]
    is_granted = forms.BooleanField(
        label=_("The member agrees to receive offers by e-mail"),
        required=False,
        widget=UnfoldBooleanSwitchWidget(),
    )
