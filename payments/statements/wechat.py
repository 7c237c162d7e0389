"""WeChat Pay's trade bill: each cell begins with a back-tick, times of Shanghai, and below the
rows a second header with the sums of all columns.

Product names hold commas that nothing quotes, so the file is split at back-ticks.
"""

import csv
import io
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.spreadsheet_cells import UnreadableCell, text_of
from kit.spreadsheet_encoding import UndecodableText, decode
from kit.spreadsheet_reading import fold
from payments.statements.base import (
    Footing,
    Format,
    Options,
    RowKind,
    Statement,
    StatementRow,
)
from payments.statements.tables import Cells, Names, read_table, rounded, words_of

_SHANGHAI: Final = "Asia/Shanghai"
_ZIP: Final = b"PK\x03\x04"
_NAMES: Final[Names] = {
    "time": ("交易时间",),
    "trade": ("微信订单号",),
    "order": ("商户订单号",),
    "status": ("交易状态",),
    "currency": ("货币种类",),
    "settled": ("应结订单金额", "总金额"),
    "refund_id": ("微信退款单号",),
    "refund": ("退款金额",),
    "refund_status": ("退款状态",),
    "fee": ("手续费",),
    "amount": ("订单金额",),
    "asked": ("申请退款金额",),
}
# What the summary calls it → our code and the column that it sums up; none for the count.
_SUMS: Final = {
    "总交易单数": ("rows_count", ""),
    "应结订单总金额": ("settled", "settled"),
    "退款总金额": ("refunds", "refund"),
    "手续费总金额": ("fees", "fee"),
    "订单总金额": ("orders", "amount"),
    "申请退款总金额": ("refunds_asked", "asked"),
}


def read(content: bytes, options: Options) -> Statement:
    plain = content if content.startswith(_ZIP) else _as_csv(content, options.encoding)
    table = read_table(plain, _NAMES, needed=("time", "trade", "status", "settled"))
    rows: list[StatementRow] = []
    lines = list(table.rows())
    at = next((n for n, cells in enumerate(lines) if _first(cells) in _SUMS), len(lines))
    for cells in lines[:at]:
        try:
            rows.append(_row(_without_ticks(cells)))
        except UnreadableCell as problem:
            table.problems.append((cells.number, str(problem)))
    return Statement(
        rows=rows,
        footings=_footings([_without_ticks(cells) for cells in lines[:at]], lines[at : at + 2]),
        problems=table.problems,
    )


def _as_csv(content: bytes, encoding: str) -> bytes:
    """The file as CSV with quotation marks; as it came if its text cannot be read."""
    try:
        text, _used = decode(content, known_words=words_of(_NAMES), encoding=encoding)
    except UndecodableText:
        return content
    out = io.StringIO()
    writer = csv.writer(out)
    for line in text.splitlines():
        writer.writerow(line[1:].split(",`") if line.startswith("`") else line.split(","))
    return out.getvalue().encode()


def _without_ticks(cells: Cells) -> Cells:
    plain = tuple(cell.lstrip("`") if isinstance(cell, str) else cell for cell in cells.cells)
    return Cells(cells.number, plain, cells.table)


def _first(cells: Cells) -> str:
    return text_of(cells.cells[0]).lstrip("`").strip() if cells.cells else ""


def _row(cells: Cells) -> StatementRow:
    status = cells.text("status").upper()
    currency = cells.text("currency") or "CNY"
    kind = _kind(status, cells.text("refund_status").upper())
    fee = cells.number_or_none("fee")
    trade = cells.needed("trade")
    is_refund = status in {"REFUND", "REVOKED"}
    amount = _first_of(cells, ("asked", "refund") if is_refund else ("amount", "settled"))
    settled = abs(cells.amount("refund" if is_refund else "settled"))
    return StatementRow(
        number=cells.number,
        kind=kind,
        payment_ref=trade,
        effect_ref=_refund_id(cells) if is_refund else trade,
        order_ref=cells.code("order"),
        amount=cells.money(amount, currency),
        settled=Money.parse(settled, currency) if settled else None,
        fee=rounded(fee) if fee is not None else None,
        occurred_at=cells.instant("time", _SHANGHAI),
        method="wechatpay",
    )


def _kind(status: str, refund_status: str) -> RowKind:
    """A refund that failed moved nothing; one under way is as good as done."""
    if status == "SUCCESS":
        return RowKind.PAYMENT
    if status in {"REFUND", "REVOKED"} and refund_status not in {"FAIL", "CHANGE", "CLOSED"}:
        return RowKind.REFUND
    return RowKind.OTHER


def _first_of(cells: Cells, names: tuple[str, str]) -> str:
    return names[0] if cells.amount(names[0]) else names[1]


def _refund_id(cells: Cells) -> str:
    found = cells.code("refund_id")
    return "" if found == "0" else found


def _footings(rows: Sequence[Cells], summary: Sequence[Cells]) -> list[Footing]:
    if len(summary) < 2:
        return []
    names, sums = (
        [text_of(cell).lstrip("`").strip() for cell in cells.cells] for cells in summary
    )
    found = []
    for name, said in zip(names, sums, strict=False):
        what, column = _SUMS.get(name, ("", ""))
        if what:
            ours = sum((_quiet(cells, column) for cells in rows), Decimal(0))
            found.append(Footing(what, _figure(said), ours if column else Decimal(len(rows))))
    return found


def _quiet(cells: Cells, column: str) -> Decimal:
    """A figure that cannot be read is reported with its row; here it counts for nothing."""
    try:
        return cells.amount(column) if column else Decimal(0)
    except UnreadableCell:
        return Decimal(0)


def _figure(said: str) -> Decimal:
    try:
        return Decimal(said.replace(",", "") or 0)
    except ArithmeticError:
        return Decimal(-1)


def recognises(header: frozenset[str], above: Sequence[str]) -> bool:
    return {fold("微信订单号"), fold("交易状态")} <= header


FORMAT = Format(
    code="wechat",
    label=_("WeChat Pay trade bill (CSV)"),
    help_text=_("The bill of all trades of a day (交易账单), unchanged."),
    read=read,
    recognises=recognises,
    words=words_of(_NAMES),
    zone=_SHANGHAI,
    order=2,
)
