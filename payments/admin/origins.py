"""Where a transaction's payer and money come from: method, country, settlement."""

from typing import Any

from babel import Locale
from django.http import HttpRequest
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import DropdownFilter

from kit.admin import display
from kit.money import Money
from payments.models import Transaction
from payments.rules.visitors import is_visitor
from payments.selectors import method_names, of_visitors


class VisitorFilter(DropdownFilter):  # type: ignore[misc]
    """Payers who are not at home where they paid."""

    title = gettext_lazy("visitors")
    parameter_name = "visitor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("visitors")), ("no", _("locals"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() == "yes":
            return of_visitors(queryset)
        if self.value() == "no":
            return of_visitors(queryset, are_visitors=False)
        return queryset


class OriginColumns:
    """For the transactions' admin."""

    @display(description=gettext_lazy("payment method"))
    def shown_method(self, row: Any) -> str:
        if not hasattr(row, "method_name"):
            names = method_names([row.method])
            row.method_name = names.get(row.method, row.method)
        return str(row.method_name) or "–"

    @display(description=gettext_lazy("kind"), ordering="kind")
    def how(self, row: Any) -> str:
        """Kind and method in one column: the list is wide."""
        method = self.shown_method(row)
        kind = str(row.get_kind_display())
        return kind if method == "–" else f"{kind} · {method}"

    @display(description=gettext_lazy("visitor"))
    def shown_visitor(self, row: Transaction) -> str:
        visits = is_visitor(
            home_country=row.member.region.country_code if row.member else "",
            payer_country=row.payer_country,
            store_country=row.store.region.country_code if row.store else "",
        )
        return {None: "–", True: _("yes"), False: _("no")}[visits]

    @display(description=gettext_lazy("country of the wallet or card"))
    def shown_country(self, row: Transaction) -> str:
        if not row.payer_country:
            return "–"
        locale = Locale.parse((get_language() or "en").replace("-", "_"))
        return str(locale.territories.get(row.payer_country, row.payer_country))

    @display(description=gettext_lazy("paid out"))
    def shown_settled(self, row: Transaction) -> str:
        return _money(row.settled_amount, row.settled_currency)

    @display(description=gettext_lazy("fee"))
    def shown_fee(self, row: Transaction) -> str:
        return _money(row.fee, row.settled_currency)


def _money(amount: Any, currency: str | None) -> str:
    if amount is None or not currency:
        return "–"
    return Money(amount, currency).display(get_language() or "en")
