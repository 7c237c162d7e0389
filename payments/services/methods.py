"""Payment methods: learnt from transactions, and offered to members in their own words."""

from collections.abc import Iterable
from functools import cache

from django.db import transaction

from members.models import Member, Region, Store
from payments.models import PaymentMethod
from payments.rules.methods import METHODS, Method, by_code, code_of

_learnt: set[str] = set()


def learn_methods(words: Iterable[str]) -> dict[str, str]:
    """The code of each word; codes that were never seen become methods. What a process has learnt
    it does not look up again."""
    codes = {word: code_of(word) for word in set(words) if word}
    missing = set(codes.values()) - _learnt
    if missing:
        make_methods(missing)
        transaction.on_commit(lambda: _learnt.update(missing))
    return codes


def make_methods(codes: Iterable[str] | None = None) -> None:
    """Add what is missing of `codes`, or of all that the trade knows; staff's words stay."""
    wanted = sorted(codes) if codes is not None else [method.code for method in METHODS]
    known = set(PaymentMethod.objects.filter(code__in=wanted).values_list("code", flat=True))
    PaymentMethod.objects.bulk_create(
        [_row(code) for code in wanted if code not in known],
        ignore_conflicts=True,  # Another process may have learnt it in this moment.
    )


def methods_for(
    *, region: Region, store: Store | None, member: Member | None, currency: str
) -> list[PaymentMethod]:
    """What a member may pay with there: first what people of their own country carry, then what
    is known everywhere, then what is the place's own; within these as staff ordered it."""
    place = store.region if store else region
    home = member.region.country_code if member else region.country_code
    rows = PaymentMethod.objects.filter(is_offered=True).prefetch_related("regions")
    fitting = [
        row
        for row in rows
        if (not row.currencies or currency in row.currencies)
        and (not row.regions.all() or place in row.regions.all())
    ]
    return sorted(fitting, key=lambda row: (_nearness(row, home), row.order, row.code))


def _nearness(row: PaymentMethod, home: str) -> int:
    if home in row.payer_countries:
        return 0
    return 2 if row.payer_countries else 1


def _row(code: str) -> PaymentMethod:
    known = by_code().get(code) or Method(code, PaymentMethod.Kind.OTHER, code)
    return PaymentMethod(
        code=code,
        kind=known.kind,
        name=known.name,
        name_zh_hant=known.name_zh_hant,
        name_zh_hans=known.name_zh_hans,
        payer_countries=list(known.payer_countries),
        currencies=list(known.currencies),
        order=_place_of(code),
    )


@cache
def _places() -> dict[str, int]:
    return {method.code: number * 10 for number, method in enumerate(METHODS, start=1)}


def _place_of(code: str) -> int:
    return _places().get(code, 900)
