"""Any table of payments: what Octopus, FPS and banks give out, by columns chosen in the admin.

Without a choice the columns are recognised by the names that are usual for them. A row without a
reference of its own gets one out of what it says and which of its equals it is, so that the same
file, or one that overlaps it, names the same payment alike.
"""

import hashlib
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.money import Money
from kit.spreadsheet_cells import UnreadableCell, read_word
from kit.spreadsheet_reading import BrokenSheet
from payments.statements.base import (
    Format,
    Options,
    RowKind,
    Statement,
    StatementRow,
)
from payments.statements.tables import Cells, Names, Table, read_table, rounded, words_of

# Field → its label, and the names by which files call it.
FIELDS: Final = {
    "time": gettext_lazy("time"),
    "amount": gettext_lazy("amount"),
    "credit": gettext_lazy("money in"),
    "debit": gettext_lazy("money out"),
    "kind": gettext_lazy("kind"),
    "reference": gettext_lazy("payment reference"),
    "effect": gettext_lazy("reference of the refund"),
    "order": gettext_lazy("order number"),
    "member": gettext_lazy("member number"),
    "currency": gettext_lazy("currency"),
    "fee": gettext_lazy("fee"),
    "settled_on": gettext_lazy("settled on"),
    "method": gettext_lazy("payment method"),
}
_ALIASES: Final[Names] = {
    "time": (
        *("time", "date", "date time", "datetime", "transaction date", "transaction time"),
        *("txn date", "value date", "posting date", "paid at", "occurred at"),
        *("日期", "時間", "交易日期", "交易時間", "入帳日期", "时间", "交易时间", "入账日期"),
    ),
    "amount": (
        *("amount", "transaction amount", "txn amount", "gross", "net amount", "hkd amount"),
        *("金額", "交易金額", "款額", "金额", "交易金额"),
    ),
    "credit": ("credit", "deposit", "money in", "paid in", "存入", "收入", "貸方", "贷方"),
    "debit": ("debit", "withdrawal", "money out", "paid out", "支出", "提取", "借方"),
    "kind": ("kind", "type", "transaction type", "類型", "交易類型", "类型", "交易类型"),
    "reference": (
        *("reference", "payment reference", "bank reference", "transaction reference", "ref"),
        *("ref no", "receipt no", "transaction id", "transaction no", "fps reference"),
        *("參考編號", "交易編號", "收據編號", "参考编号", "交易编号", "流水號", "流水号"),
    ),
    "effect": ("refund reference", "effect reference", "退款編號", "退款编号"),
    "order": ("order", "order no", "order number", "bill number", "訂單編號", "订单编号"),
    "member": ("member", "member number", "member no", "會員編號", "会员编号"),
    "currency": ("currency", "ccy", "貨幣", "幣別", "货币", "币种"),
    "fee": ("fee", "charge", "commission", "手續費", "手续费"),
    "settled_on": ("settled on", "settlement date", "payout date", "結算日期", "结算日期"),
    "method": ("method", "payment method", "channel", "付款方式", "支付方式"),
}
_KINDS: Final = {
    RowKind.PAYMENT: "payment|sale|purchase|credit|c|cr|付款|銷售|销售|收款|存入|消費|消费",
    RowKind.REFUND: "refund|return|debit|d|dr|退款|退貨|退货|支出",
    RowKind.FEE: "fee|charge|手續費|手续费",
    RowKind.PAYOUT: "payout|settlement|撥款|拨款|結算|结算",
}
_read_kind = read_word(
    {word: kind.value for kind, words in _KINDS.items() for word in words.split("|")}
)


def read(content: bytes, options: Options) -> Statement:
    names: Names = (
        {name: (header,) for name, header in options.columns.items() if header}
        if options.columns
        else _ALIASES
    )
    table = read_table(content, names, encoding=options.encoding)
    _demand(table, options)
    rows: list[StatementRow] = []
    equals: Counter[str] = Counter()
    for cells in table.rows():
        try:
            row = _row(cells, options, equals)
        except UnreadableCell as problem:
            table.problems.append((cells.number, str(problem)))
            continue
        if row is not None:
            rows.append(row)
    return Statement(rows, problems=table.problems)


def guess(headers: Sequence[str]) -> dict[str, str]:
    """Which header is probably which field, to be corrected by hand."""
    from_word = {word: name for name, group in _ALIASES.items() for word in words_of({"": group})}
    found: dict[str, str] = {}
    for header in headers:
        name = from_word.get(next(iter(words_of({"": (header,)})), ""))
        if name is not None:
            found.setdefault(name, header)
    return found


def _demand(table: Table, options: Options) -> None:
    has_amount = table.has("credit") if options.sign == "columns" else table.has("amount")
    if not (table.has("time") and has_amount):
        raise BrokenSheet(_("Choose at least the columns of the time and of the amount."))


def _row(cells: Cells, options: Options, equals: Counter[str]) -> StatementRow | None:
    """None for a row that moves nothing, such as the balance carried forward."""
    kind, column = _direction(cells, options)
    if not column:
        return None
    currency = cells.code("currency").upper() or options.currency
    at = cells.instant("time", options.zone, day_order=options.day_order)
    amount = cells.money(column, currency)
    reference = cells.code("reference") or _made_up(cells, at, amount, equals)
    fee = cells.number_or_none("fee")
    effect = cells.code("effect")
    if kind is RowKind.PAYMENT:
        effect = reference
    return StatementRow(
        number=cells.number,
        kind=kind,
        payment_ref=reference,
        effect_ref=effect,
        order_ref=cells.code("order"),
        amount=amount,
        settled=amount,
        fee=None if fee is None else rounded(abs(fee) if kind is RowKind.PAYMENT else -abs(fee)),
        occurred_at=at,
        settled_on=cells.day_or_none("settled_on", day_order=options.day_order),
        method=cells.code("method")[:40],
        member_code=cells.code("member")[:40],
    )


def _direction(cells: Cells, options: Options) -> tuple[RowKind, str]:
    """What the row is, and which column has its amount."""
    if options.sign == "columns":
        if cells.amount("credit"):
            return RowKind.PAYMENT, "credit"
        return RowKind.REFUND, "debit" if cells.amount("debit") else ""
    amount = cells.amount("amount")
    if not amount:
        return RowKind.OTHER, ""
    if options.sign == "kind" and cells.text("kind"):
        try:
            return RowKind(_read_kind(cells.cell("kind"))), "amount"
        except UnreadableCell as problem:
            raise cells.unreadable("kind", problem) from problem
    return RowKind.PAYMENT if amount > 0 else RowKind.REFUND, "amount"


def _made_up(cells: Cells, at: datetime, amount: Money, equals: Counter[str]) -> str:
    said = f"{at.isoformat()}|{amount}|{cells.text('order')}|{cells.text('method')}"
    equals[said] += 1
    digest = hashlib.sha256(f"{said}|{equals[said]}".encode()).hexdigest()
    return f"row-{digest[:24]}"


def recognises(header: frozenset[str], above: Sequence[str]) -> bool:
    return False  # Anything may be one: it is chosen by hand, or because nothing else fits.


FORMAT = Format(
    code="generic",
    label=gettext_lazy("Any other table (CSV or Excel)"),
    help_text=gettext_lazy("Statements of Octopus, FPS and banks: you say which column is what."),
    read=read,
    recognises=recognises,
    words=words_of(_ALIASES),
    order=9,
)
