"""Alipay's trade bill: GBK, lines with `#` above and below the rows, times of Shanghai.

Above the header stands the period, whose end is exclusive; below the rows stand how many payments
and refunds there are and what they come to.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Final

from django.utils.translation import gettext_lazy as _

from kit.money import Money
from kit.spreadsheet_cells import UnreadableCell, text_of
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
_NAMES: Final[Names] = {
    "trade": ("支付宝交易号", "交易号"),
    "order": ("商户订单号",),
    "kind": ("业务类型",),
    "created": ("创建时间",),
    "done": ("完成时间",),
    "amount": ("订单金额（元）", "订单金额"),
    "received": ("商家实收（元）", "商家实收"),
    "request": ("退款批次号/请求号", "退款批次号"),
    "fee": ("服务费（元）", "服务费"),
}
_KINDS: Final = {"交易": RowKind.PAYMENT, "退款": RowKind.REFUND}
_PERIOD: Final = re.compile(r"(\d{4})年(\d{1,2})月(\d{1,2})日\s*(\d{2}):(\d{2}):(\d{2})", re.ASCII)
_TOTAL: Final = re.compile(
    r"#\s*(交易|退款)合计[：:]\s*(\d+)\s*笔[，,]\s*(商家实收|交易|)[^\d-]*(-?[\d.]+)\s*元",
    re.ASCII,
)


def read(content: bytes, options: Options) -> Statement:
    table = read_table(
        content, _NAMES, encoding=options.encoding, needed=("trade", "kind", "done", "amount")
    )
    rows: list[StatementRow] = []
    sums: dict[str, Decimal] = defaultdict(Decimal)
    below: list[str] = []
    for cells in table.rows():
        first = text_of(cells.cells[0] if cells.cells else "")
        if first.startswith("#"):
            below.append(" ".join(text_of(cell) for cell in cells.cells))
            continue
        try:
            rows.append(_row(cells))
        except UnreadableCell as problem:
            table.problems.append((cells.number, str(problem)))
            continue
        _add(sums, cells)
    starts_on, ends_on = _period(table.sheet.above)
    return Statement(
        rows=rows,
        footings=_footings(below, sums),
        problems=table.problems,
        starts_on=starts_on,
        ends_on=ends_on,
    )


def _row(cells: Cells) -> StatementRow:
    kind = _KINDS.get(cells.text("kind"), RowKind.OTHER)
    trade = cells.needed("trade")
    fee = cells.number_or_none("fee")
    received = abs(cells.amount("received"))
    return StatementRow(
        number=cells.number,
        kind=kind,
        payment_ref=trade,
        effect_ref=cells.code("request") if kind is RowKind.REFUND else trade,
        order_ref=cells.code("order"),
        amount=cells.money("amount", "CNY"),
        settled=Money.parse(received, "CNY") if received else None,
        fee=rounded(-fee) if fee is not None else None,
        occurred_at=cells.instant("done", _SHANGHAI),
        method="alipay",
    )


def _add(sums: dict[str, Decimal], cells: Cells) -> None:
    kind = cells.text("kind")
    if kind in _KINDS:
        sums[f"{kind}:count"] += 1
        sums[f"{kind}:order"] += abs(cells.amount("amount"))
        sums[f"{kind}:received"] += abs(cells.amount("received"))


def _footings(below: Sequence[str], sums: dict[str, Decimal]) -> list[Footing]:
    found = []
    for kind, count, what, amount in _TOTAL.findall("\n".join(below)):
        name = "payments" if kind == "交易" else "refunds"
        column = "received" if what == "商家实收" else "order"
        found += [
            Footing(f"{name}_count", Decimal(count), sums[f"{kind}:count"]),
            Footing(name, abs(Decimal(amount)), sums[f"{kind}:{column}"]),
        ]
    return found


def _period(above: Sequence[str]) -> tuple[date | None, date | None]:
    moments = _PERIOD.findall(" ".join(above))
    if len(moments) < 2:
        return None, None
    first, last = (tuple(int(part) for part in moment) for moment in moments[:2])
    end = date(*last[:3])
    return date(*first[:3]), end - timedelta(days=1) if not any(last[3:]) else end


def recognises(header: frozenset[str], above: Sequence[str]) -> bool:
    return {fold("支付宝交易号"), fold("业务类型")} <= header


FORMAT = Format(
    code="alipay",
    label=_("Alipay trade bill (CSV)"),
    help_text=_("The downloaded archive as it is, or the file of single trades (业务明细) in it."),
    read=read,
    recognises=recognises,
    words=words_of(_NAMES),
    refund_ref=lambda request, total: f"{request or 'total'}:{total.amount}",
    zone=_SHANGHAI,
    order=1,
)
