"""Exchange rates by spreadsheet. A rate that stands stays; a payment that waited goes on."""

from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.money import known_currencies
from kit.spreadsheet_cells import read_code, read_day, read_number, read_text
from kit.spreadsheet_import import SAME, Column, Row, SheetResource, SheetResult, refuse_repeats
from members.models import Programme
from payments.services.rates import enter_rate, is_far_ahead, standing_rates

_LARGEST = Decimal(10) ** 10
_PLACES = 10


class RateSheet(SheetResource):
    currency = Column(
        gettext_lazy("currency"),
        read=read_code(3),
        aliases="currency code|from|code|貨幣|幣別|外幣|货币|币种|外币",
    )
    valid_from = Column(
        gettext_lazy("valid from"),
        read=read_day,
        aliases="date|day|from date|日期|生效日|生效日期|日",
        help_text=gettext_lazy("as in 2026-01-31"),
    )
    rate = Column(
        gettext_lazy("rate"),
        read=read_number,
        aliases="exchange rate|mid|middle rate|匯率|兌換率|汇率|中间价|折算价",
        help_text=gettext_lazy("how much of the programme's currency one unit is worth"),
    )
    source = Column(gettext_lazy("source"), read=read_text(60), aliases="bank|來源|銀行|来源|银行")

    needed = (("currency",), ("valid_from",), ("rate",))
    lock = "import:rates"

    def check(self, rows: list[Row]) -> None:
        own = Programme.current().currency
        for row in rows:
            self._check_row(row, own)
        refuse_repeats(rows, _key, _("The same currency and day stand in row %(row)s already."))
        days = {row.get("valid_from") for row in rows} - {None}
        standing = {(rate.currency, rate.valid_from): rate.rate for rate in standing_rates(days)}
        for row in rows:
            before = None if row.errors else standing.get(_key(row))
            if before is None:
                continue
            row.outcome = SAME
            if before != row.values["rate"]:
                row.refuse(
                    _("A rate of %(rate)s stands for that day already, and rates never change.")
                    % {"rate": f"{before.normalize():f}"},
                    self.fields["rate"].label,
                )

    def write(self, rows: list[Row]) -> None:
        self._resumed = 0
        for row in rows:
            _rate, resumed = enter_rate(
                currency=row.values["currency"],
                valid_from=row.values["valid_from"],
                rate=row.values["rate"],
                source=row.get("source") or _("spreadsheet"),
                now=self.now,
            )
            self._resumed += resumed

    def summarise(self, rows: list[Row], result: SheetResult) -> None:
        resumed = getattr(self, "_resumed", 0)
        if resumed:
            result.summary.append((_("Transactions that go on"), resumed))

    def _check_row(self, row: Row, own: str) -> None:
        for name in ("currency", "valid_from", "rate"):
            if row.get(name) in {None, ""} and not row.errors:
                row.refuse(_("This is empty but needed."), self.fields[name].label)
        if row.errors:
            return
        code = row.values["currency"] = row.values["currency"].upper()
        if code not in known_currencies():
            row.refuse(
                _("“%(value)s” is not a currency. Write its three letters, as in HKD.")
                % {"value": code},
                self.fields["currency"].label,
            )
        elif code == own:
            row.refuse(
                _("This is the programme's own currency, which needs no rate."),
                self.fields["currency"].label,
            )
        if is_far_ahead(row.values["valid_from"], now=self.now):
            row.refuse(
                _("This day is more than a year ahead. Check the year."),
                self.fields["valid_from"].label,
            )
        self._check_rate(row)

    def _check_rate(self, row: Row) -> None:
        rate: Decimal = row.values["rate"]
        exponent: Any = rate.as_tuple().exponent
        if not 0 < rate < _LARGEST or -exponent > _PLACES:
            row.refuse(
                _("A rate is above zero and has at most 10 decimals."), self.fields["rate"].label
            )


def _key(row: Row) -> Any:
    code, day = row.get("currency"), row.get("valid_from")
    return (code.upper(), day) if code and day else None
