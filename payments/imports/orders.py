"""From the rows of a sales file to orders: what each line comes to, and what an order is."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from django.utils import timezone
from django.utils.translation import gettext as _

from kit.ids import is_valid_code, normal_code
from kit.money import Money, MoneyError, exponent, known_currencies
from kit.spreadsheet_import import Row, SheetResource
from members.models import Programme, Store
from members.selectors import phone_country_of
from members.services.identities import BadIdentity, members_by_code, normalise_identity
from payments.providers.base import Clue, Kind, Notice, NoticeLine

_LONGEST_ORDER: Final = timedelta(days=1)  # Tills stamp lines, and some pass midnight.
_MOST_LINES: Final = 10_000
_MOST_QUANTITY: Final = Decimal(10) ** 9
_EARLIEST_YEAR: Final = 2000


@dataclass(slots=True)
class Order:
    """The rows of one order number in one store: a payment, or a refund of another order."""

    rows: list[Row]
    ref: str
    store: Store | None
    kind: Kind
    currency: str
    total: Decimal
    occurred_at: datetime
    original_ref: str = ""
    member_code: str = ""
    clues: tuple[Clue, ...] = ()
    lines: tuple[NoticeLine, ...] = ()
    is_known: bool = False

    @property
    def has_errors(self) -> bool:
        return any(row.errors for row in self.rows)

    @property
    def effect_ref(self) -> str:
        return reference(self.store, self.ref)

    @property
    def payment_ref(self) -> str:
        return reference(self.store, self.original_ref or self.ref)

    def refuse(self, sentence: str, column: str | None = None) -> None:
        where = () if column is None else (column,)
        self.rows[0].refuse(sentence, *where)

    def spread_errors(self) -> None:
        """An order is booked whole: a bad line leaves its good ones out too."""
        if self.has_errors:
            spread(self.rows)

    def notice(self) -> Notice:
        return Notice(
            kind=self.kind,
            payment_ref=self.payment_ref,
            effect_ref=self.effect_ref,
            amount=Money(self.total, self.currency),
            occurred_at=self.occurred_at,
            order_ref=self.ref,
            member_code=self.member_code,
            store_code=self.store.code if self.store else "",
            method=self.rows[0].get("method") or "",
            clues=self.clues,
            lines=self.lines,
        )


def reference(store: Store | None, order: str) -> str:
    """Two stores may count their orders alike."""
    return f"{store.code}:{order}" if store else order


def spread(rows: Iterable[Row]) -> None:
    for row in rows:
        if not row.errors:
            row.refuse(_("Another row of this order has an error."))


class OrderReader:
    """Reads lines and orders of one file, with what it needs from the database looked up once."""

    def __init__(self, sheet: SheetResource, programme: Programme, rows: Sequence[Row]) -> None:
        self.sheet = sheet
        self.programme = programme
        self.stores = _own_stores(sheet)
        self.usual_country = phone_country_of(None)
        typed = {row.get(name) for row in rows for name in ("member_code", "customer")}
        self.member_codes = members_by_code(
            code for code in typed if code and _looks_like_ours(code)
        )

    def read_line(self, row: Row) -> None:
        """The store, currency, amount and payer of one row, refused where they cannot be."""
        store = self._store(row)
        row.values["store_row"] = store
        if not row.get("order"):
            self._demand(row, "order")
        elif store is not None or self.sheet.scope.sees_everything:
            row.values["order_key"] = (_key(store), row.get("order"))
        self._read_time(row, store)
        currency = self._currency(row, store)
        if currency:
            row.values["line_currency"] = currency
            row.values["line_amount"] = self._amount(row, currency)
        row.values["payer"] = self._payer(row, store)

    def read_order(self, rows: list[Row]) -> Order | None:
        """The order of `rows`; None if a row is bad, which then leaves all of them out."""
        first = rows[0]
        self._compare(rows)
        if any(row.errors for row in rows):
            spread(rows)
            return None
        total = sum((row.values["line_amount"] for row in rows), Decimal(0))
        kind = self._kind(first, total)
        if kind is None:
            spread(rows)
            return None
        is_negated = total < 0
        code, clues = next(
            (row.values["payer"] for row in rows if any(row.values["payer"])), ("", ())
        )
        return Order(
            rows=rows,
            ref=first.values["order"],
            store=first.values["store_row"],
            kind=kind,
            currency=first.values["line_currency"],
            total=abs(total),
            occurred_at=min(row.values["paid_at"] for row in rows),
            original_ref=next((row.values["original"] for row in rows if row.get("original")), "")
            if kind == Kind.REFUND
            else "",
            member_code=code,
            clues=clues,
            lines=tuple(_line(row, is_negated=is_negated) for row in rows if row.get("sku")),
        )

    def _store(self, row: Row) -> Store | None:
        word = row.get("store")
        if not word:
            store = self.sheet.choices.get("store")
            if store is None and not self.sheet.scope.sees_everything:
                row.refuse(
                    _("Name a store of yours, or choose one on this page."), self._label("store")
                )
            return store
        store = self.stores.get(word.casefold())
        if store is None:
            row.refuse(
                _("“%(value)s” is not known or not yours. Write one of: %(allowed)s.")
                % {
                    "value": word[:40],
                    "allowed": ", ".join(sorted({s.code for s in self.stores.values()})[:20])
                    or "-",
                },
                self._label("store"),
            )
        return store

    def _read_time(self, row: Row, store: Store | None) -> None:
        instant = row.get("occurred_at")
        if instant is None:
            self._demand(row, "occurred_at")
            return
        if timezone.is_naive(instant):
            zone = store.region.zone if store else self.programme.zone
            instant = instant.replace(tzinfo=ZoneInfo(zone))
        if instant > self.sheet.now + timedelta(days=1):
            row.refuse(_("This time lies in the future."), self._label("occurred_at"))
        elif instant.year < _EARLIEST_YEAR:
            row.refuse(_("This time lies before 2000."), self._label("occurred_at"))
        row.values["paid_at"] = instant

    def _currency(self, row: Row, store: Store | None) -> str:
        code = str(
            row.get("currency")
            or self.sheet.choices.get("currency")
            or (store.region.currency if store else self.programme.currency)
        ).upper()
        if code in known_currencies():
            return code
        row.refuse(
            _("“%(value)s” is not a currency. Write its three letters, as in HKD.")
            % {"value": code},
            self._label("currency"),
        )
        return ""

    def _amount(self, row: Row, currency: str) -> Decimal:
        """What the line came to; quantity times price is rounded here, once, half up."""
        quantity = row.get("quantity")
        if quantity is not None and (
            quantity == 0 or abs(quantity) >= _MOST_QUANTITY or _decimals(quantity) > 3
        ):
            row.refuse(
                _("A quantity is not zero, and has at most three decimals."),
                self._label("quantity"),
            )
            return Decimal(0)
        given = row.get("amount")
        if given is None:
            price = row.get("unit_price")
            if price is None or quantity is None:
                self._demand_amount(row)
                return Decimal(0)
            given = (quantity * price).quantize(
                Decimal(1).scaleb(-exponent(currency)), ROUND_HALF_UP
            )
        try:
            return Money.parse(given, currency).amount
        except MoneyError:
            row.refuse(
                _("%(value)s is no amount of %(currency)s: too large, or too many decimals.")
                % {"value": given, "currency": currency},
                self._label("amount"),
            )
            return Decimal(0)

    def _payer(self, row: Row, store: Store | None) -> tuple[str, tuple[Clue, ...]]:
        """Our own member number, and the signs by which the payer may be known."""
        code, customer = row.get("member_code") or "", row.get("customer") or ""
        if code and code not in self.member_codes:
            row.refuse(_("Nobody has this member number."), self._label("member_code"))
        signs = {"phone": row.get("phone"), "email": row.get("email"), "customer": ""}
        if customer in self.member_codes:
            code = code or customer
        elif customer:
            kind = _kind_of_sign(customer)
            signs[kind] = signs[kind] or customer
        country = store.region.phone_country if store else self.usual_country
        clues = []
        for kind, value in signs.items():
            if value:
                clues += self._clue(row, kind, value, country)
        return code, tuple(clues)

    def _clue(self, row: Row, kind: str, value: str, country: str) -> list[Clue]:
        try:
            return [Clue(kind, normalise_identity(kind, value, country=country))]
        except BadIdentity as problem:
            column = kind if row.get(kind) else "customer"
            row.refuse(str(problem), self._label(column))
            return []

    def _compare(self, rows: Sequence[Row]) -> None:
        """Rows of one order agree on what belongs to the order."""
        first = rows[0]
        if len(rows) > _MOST_LINES:
            first.refuse(
                _("One order cannot have more than %(lines)s rows.") % {"lines": _MOST_LINES}
            )
        for name in ("kind", "line_currency", "payer", "original"):
            known = first
            for row in rows[1:]:
                mine, theirs = row.get(name), known.get(name)
                if _is_blank(theirs):
                    known = row
                elif not _is_blank(mine) and mine != theirs:
                    row.refuse(
                        _("This differs from row %(row)s of the same order.")
                        % {"row": known.number},
                        self._label(
                            {"line_currency": "currency", "payer": "customer"}.get(name, name)
                        ),
                    )
        times = [row.values["paid_at"] for row in rows if row.get("paid_at")]
        if times and max(times) - min(times) > _LONGEST_ORDER:
            first.refuse(
                _("Rows of this order lie more than a day apart."), self._label("occurred_at")
            )

    def _kind(self, first: Row, total: Decimal) -> Kind | None:
        named = first.get("kind")
        if total == 0:
            first.refuse(_("This order comes to nothing, so there is no payment to book."))
            return None
        if named == Kind.PAYMENT and total < 0:
            first.refuse(_("A payment cannot come to less than nothing."), self._label("kind"))
            return None
        return Kind.REFUND if named == Kind.REFUND or total < 0 else Kind.PAYMENT

    def _demand(self, row: Row, name: str) -> None:
        label = self._label(name)
        if label not in row.errors:
            row.refuse(_("This is empty but needed."), label)

    def _demand_amount(self, row: Row) -> None:
        labels = [self._label(name) for name in ("quantity", "unit_price", "amount")]
        if not row.errors.keys() & set(labels):
            row.refuse(_("Give a line amount, or quantity and unit price."), labels[2])

    def _label(self, name: str) -> str:
        return str(self.sheet.fields[name].label)


def _own_stores(sheet: SheetResource) -> dict[str, Store]:
    scope = sheet.scope
    stores = Store.objects.select_related("region")
    if not scope.sees_everything:
        stores = stores.filter(pk__in=scope.stores)
    found: dict[str, Store] = {}
    for store in stores:
        for word in (store.name, store.name_zh_hant, store.name_zh_hans, store.code):
            if word:
                found[word.casefold()] = store
    return found


def _looks_like_ours(code: str) -> bool:
    return is_valid_code(normal_code(code), "M")


def _kind_of_sign(customer: str) -> str:
    if "@" in customer:
        return "email"
    return "phone" if customer.startswith("+") else "customer"


def _line(row: Row, *, is_negated: bool) -> NoticeLine:
    sign = -1 if is_negated else 1
    quantity = row.get("quantity")
    amount = row.values["line_amount"] * sign
    return NoticeLine(
        sku=row.values["sku"],
        quantity=Decimal(1) if quantity is None else quantity * sign,
        amount=amount,
        name=row.get("description") or "",
    )


def _is_blank(value: Any) -> bool:
    return value in (None, "", ("", ()))


def _key(store: Store | None) -> int | None:
    return store.pk if store is not None else None


def _decimals(number: Decimal) -> int:
    places = number.as_tuple().exponent
    return max(0, -places) if isinstance(places, int) else 0
