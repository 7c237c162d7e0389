"""What a payment's points are counted on, where a platform tells of more than the whole amount.

The account says which. Tiers, refunds and reports go by the whole amount all the same; a refund
takes back the points of its share.
"""

from typing import Any, Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.untrusted import Unreadable
from payments.providers.base import Keys, SettingField

_SETTING: Final = "points_base"
_WHOLE: Final = ("whole", _("the whole amount"))
PAID: Final = "paid"
RECEIVED: Final = "received"
_LABELS: Final[dict[str, Any]] = {
    PAID: _("what the payer paid, without vouchers"),
    RECEIVED: _("what the merchant receives"),
}


def points_base_setting(*choices: str) -> SettingField:
    """The setting of a platform that tells these: PAID, RECEIVED."""
    return SettingField(
        _SETTING,
        _("Points are earned on"),
        _("Tiers and reports count the whole amount all the same."),
        choices=(_WHOLE, *((choice, _LABELS[choice]) for choice in choices)),
    )


def points_base_of(keys: Keys) -> str:
    """PAID or RECEIVED, if the account says so."""
    return keys.settings.get(_SETTING, "")


def part_that_earns(part: Money, whole: Money) -> Money | None:
    """A payment's `Notice.earns`: None where it is the whole; raises Unreadable below zero."""
    if part.amount < 0:
        raise Unreadable("The amount that earns points is below zero.")
    return part if part < whole else None
