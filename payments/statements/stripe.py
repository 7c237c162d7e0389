"""Stripe's itemised reports: balance change from activity, and payout reconciliation.

`gross`, `fee` and `net` are in the currency of the payout; what the customer paid stands in the
customer-facing columns, and only there if it was converted.
"""

from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.money import Money
from kit.spreadsheet_cells import UnreadableCell
from kit.spreadsheet_reading import fold
from payments.statements.base import (
    SALES,
    Footing,
    Format,
    Options,
    RowKind,
    Statement,
    StatementRow,
)
from payments.statements.tables import Cells, Names, read_table, rounded, words_of

_NAMES: Final[Names] = {
    "movement": ("balance_transaction_id",),
    "created_utc": ("created_utc",),
    "created": ("created",),
    "category": ("reporting_category",),
    "currency": ("currency",),
    "gross": ("gross",),
    "fee": ("fee",),
    "net": ("net",),
    "source": ("source_id",),
    "intent": ("payment_intent_id",),
    "charge": ("charge_id",),
    "paid": ("customer_facing_amount",),
    "paid_currency": ("customer_facing_currency",),
    "payout_utc": ("automatic_payout_effective_at_utc", "automatic_payout_effective_at"),
    "available": ("available_on_utc", "available_on"),
    "method": ("payment_method_type",),
}
_KINDS: Final = {
    "charge": RowKind.PAYMENT,
    "payment": RowKind.PAYMENT,
    "refund": RowKind.REFUND,
    "payment_refund": RowKind.REFUND,
    "refund_failure": RowKind.REVERSAL,
    "dispute": RowKind.CHARGEBACK,
    "dispute_reversal": RowKind.REVERSAL,
    "fee": RowKind.FEE,
    "tax": RowKind.FEE,
    "network_cost": RowKind.FEE,
    "payout": RowKind.PAYOUT,
    "payout_reversal": RowKind.PAYOUT,
}


def read(content: bytes, options: Options) -> Statement:
    table = read_table(
        content,
        _NAMES,
        encoding=options.encoding,
        needed=("category", "gross", "fee", "net", "currency", "source"),
    )
    rows: list[StatementRow] = []
    said = found = Decimal(0)
    for cells in table.rows():
        try:
            rows.append(_row(cells, options))
            said += cells.amount("net")
            found += cells.amount("gross") - cells.amount("fee")
        except UnreadableCell as problem:
            table.problems.append((cells.number, str(problem)))
    return Statement(rows, footings=[Footing("net", said, found)], problems=table.problems)


def _row(cells: Cells, options: Options) -> StatementRow:
    kind = _KINDS.get(cells.text("category").lower(), RowKind.OTHER)
    currency = cells.needed("currency").upper()
    source = cells.code("source") or cells.code("movement")
    payment = cells.code("intent") or cells.code("charge")
    if kind in SALES and not payment:
        raise UnreadableCell(
            _(
                "Neither payment_intent_id nor charge_id is filled in. Choose both columns when"
                " you make the report."
            )
        )
    is_converted = bool(cells.number_or_none("paid")) and bool(cells.text("paid_currency"))
    settled = cells.money("gross", currency) if kind in SALES else None
    paid = cells.money("paid", cells.text("paid_currency").upper()) if is_converted else None
    return StatementRow(
        number=cells.number,
        kind=kind,
        payment_ref=payment or source,
        effect_ref=payment if kind is RowKind.PAYMENT else source,
        amount=paid if paid is not None and kind in SALES else _moved(cells, currency),
        settled=settled,
        fee=rounded(cells.amount("fee")) if kind in SALES else None,
        occurred_at=cells.instant("created_utc", "UTC")
        if cells.text("created_utc")
        else cells.instant("created", options.zone),
        settled_on=cells.day_or_none("payout_utc") or cells.day_or_none("available"),
        method=cells.text("method")[:40],
    )


def _moved(cells: Cells, currency: str) -> Money:
    """A fee of its own moves nothing but its net."""
    return cells.money("gross" if cells.amount("gross") else "net", currency)


def recognises(header: frozenset[str], above: Sequence[str]) -> bool:
    return {fold("reporting_category"), fold("source_id")} <= header


FORMAT = Format(
    code="stripe",
    label=gettext_lazy("Stripe report, itemised (CSV)"),
    help_text=gettext_lazy(
        "“Balance change from activity” or “Payout reconciliation”, itemised, with the columns"
        " payment_intent_id and charge_id."
    ),
    read=read,
    recognises=recognises,
    words=words_of(_NAMES),
    covers=SALES,
    zone="UTC",
    order=3,
)
