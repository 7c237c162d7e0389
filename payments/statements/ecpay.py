"""ECPay's files: the merchant's order file (each cell as ="…"), and the files of payouts.

Taiwan dollars, times of Taipei, Big5 or UTF-8. A refund is a row below zero in files of payouts,
and two columns beside the payment in order files, with the total refunded so far.
"""

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.spreadsheet_cells import UnreadableCell
from kit.spreadsheet_reading import fold
from payments.statements.base import (
    Footing,
    Format,
    Options,
    RowKind,
    Statement,
    StatementRow,
)
from payments.statements.tables import Cells, Names, Table, read_table, rounded, words_of

_TAIPEI: Final = "Asia/Taipei"
_ZIP: Final = b"PK\x03\x04"
_FORMULA_CELL: Final = re.compile(rb'=("[^"\r\n]*")')
_NAMES: Final[Names] = {
    "order": ("廠商訂單編號", "特店訂單編號", "特店交易編號"),
    "trade": ("綠界訂單編號", "綠界交易編號", "綠界交易序號"),
    "ordered": ("訂單日期", "交易日期"),
    "paid": ("付款日期",),
    "status": ("付款狀態", "付款結果"),
    "method": ("付款方式",),
    "amount": ("交易金額",),
    "refunded_on": ("退款日期",),
    "refund": ("退款金額",),
    "fee": ("交易手續費", "金流手續費", "交易服務費金額"),
    "handling": ("交易處理費", "金流處理費"),
    "platform": ("平台手續費",),
    "net": ("應收款項(淨額)", "應收款項（淨額）"),
    "paid_out": ("撥款日期",),
}
_FEES: Final = ("fee", "handling", "platform")


def read(content: bytes, options: Options) -> Statement:
    # Cells such as ="2026/01/31" are formulas for Excel's sake; csv knows them not.
    plain = content if content.startswith(_ZIP) else _FORMULA_CELL.sub(rb"\1", content)
    table = read_table(
        plain, _NAMES, encoding=options.encoding, needed=("order", "trade", "ordered", "amount")
    )
    rows: list[StatementRow] = []
    said = found = Decimal(0)
    for cells in table.rows():
        if _is_unpaid(cells):
            continue
        try:
            rows += _rows(cells)
            said += cells.amount("net")
            found += _net(cells)
        except UnreadableCell as problem:
            table.problems.append((cells.number, str(problem)))
    return Statement(rows, footings=_footings(table, said, found), problems=table.problems)


def _is_unpaid(cells: Cells) -> bool:
    """Order files list what was never paid too; `2026-01-31 10:00:00 已付款` was."""
    status = cells.text("status")
    return bool(status) and "已付款" not in status and "成功" not in status


def _rows(cells: Cells) -> Iterator[StatementRow]:
    amount = cells.amount("amount")
    yield _row(cells, RowKind.PAYMENT if amount >= 0 else RowKind.REFUND)
    if amount > 0 and cells.amount("refund"):
        yield _refund_beside(cells)


def _row(cells: Cells, kind: RowKind) -> StatementRow:
    trade = cells.needed("trade").upper()
    money = cells.money("amount", "TWD")
    fees = [found for name in _FEES if (found := cells.number_or_none(name)) is not None]
    return StatementRow(
        number=cells.number,
        kind=kind,
        payment_ref=trade,
        effect_ref=trade if kind is RowKind.PAYMENT else "",
        order_ref=cells.code("order"),
        amount=money,
        settled=money,
        fee=rounded(sum(fees, Decimal(0))) if fees else None,
        occurred_at=cells.instant(_when(cells), _TAIPEI),
        settled_on=cells.day_or_none("paid_out"),
        method=cells.text("method")[:40],
    )


def _refund_beside(cells: Cells) -> StatementRow:
    when = "refunded_on" if cells.text("refunded_on") else _when(cells)
    return StatementRow(
        number=cells.number,
        kind=RowKind.REFUND,
        payment_ref=cells.needed("trade").upper(),
        order_ref=cells.code("order"),
        amount=cells.money("refund", "TWD"),
        occurred_at=cells.instant(when, _TAIPEI),
    )


def _when(cells: Cells) -> str:
    return "paid" if cells.text("paid") else "ordered"


def _net(cells: Cells) -> Decimal:
    fees = sum((cells.amount(name) for name in _FEES), Decimal(0))
    return cells.amount("amount") - fees - abs(cells.amount("refund"))


def _footings(table: Table, said: Decimal, found: Decimal) -> list[Footing]:
    return [Footing("net", said, found)] if table.has("net") else []


def recognises(header: frozenset[str], above: Sequence[str]) -> bool:
    trades = {fold(name) for name in _NAMES["trade"]}
    return bool(header & trades) and fold("交易金額") in header


FORMAT = Format(
    code="ecpay",
    label=_("ECPay file (CSV)"),
    help_text=_("The order file or a payout file of the merchant's back office, Big5 or UTF-8."),
    read=read,
    recognises=recognises,
    words=words_of(_NAMES),
    refund_ref=lambda _ref, total: f"total:{total.amount}",
    zone=_TAIPEI,
    order=4,
)
