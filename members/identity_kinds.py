"""By what a member is recognised. What people type is named here; each payment platform names its
own signs of a payer (`Provider.clue_kinds`) when the project starts."""

from typing import Any, Final

from django.utils.translation import gettext_lazy as _

PHONE: Final = "phone"
EMAIL: Final = "email"
WALLET: Final = "wallet"
CUSTOMER: Final = "customer"

_labels: Final[dict[str, Any]] = {
    PHONE: _("phone"),
    EMAIL: _("e-mail"),
    WALLET: _("wallet"),
    CUSTOMER: _("customer number"),
}


def name_kind(kind: str, label: Any) -> None:
    """Let staff see identities of `kind` under `label` (a lazy translation)."""
    _labels[kind] = label


def kind_label(kind: str) -> Any:
    return _labels.get(kind, kind)


def all_kinds() -> dict[str, Any]:
    return dict(_labels)
