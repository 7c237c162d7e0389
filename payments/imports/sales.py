"""Sales by spreadsheet.

A row is a line; rows with one order number are one payment, or one refund if the order
comes to less than nothing. A refund must name the order that it takes back, for money can only be
taken back from a payment. An order is booked whole or not at all, and booked once however often
the file comes. A time without an offset is the store's; a row without a customer waits unmatched.
"""

from collections import defaultdict
from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.spreadsheet_cells import read_code, read_instant, read_number, read_text, read_word
from kit.spreadsheet_import import Column, Row, SheetResource, SheetResult
from members.models import Programme
from payments.imports.booked import compare_with_booked
from payments.imports.orders import Order, OrderReader
from payments.models import Product
from payments.providers.base import Kind
from payments.services.own_accounts import SHEET, sheet_account
from payments.services.sales import book_sales

_KINDS = {
    Kind.PAYMENT: "payment|sale|sales|order|invoice|銷售|销售|付款|訂單|订单|發票|发票",
    Kind.REFUND: "refund|return|credit|credit note|退款|退貨|退货|退單|退单|退",
}


class SaleSheet(SheetResource):
    order = Column(
        gettext_lazy("order number"),
        read=read_code(60),
        aliases="order|order no|order id|order ref|invoice|invoice no|invoice number|receipt|"
        "receipt no|transaction id|單號|訂單編號|訂單號碼|發票號碼|收據號碼|单号|订单编号|订单号|"
        "发票号码|小票号",
    )
    occurred_at = Column(
        gettext_lazy("time"),
        read=read_instant,
        aliases="date|date time|datetime|paid at|occurred at|invoice date|order date|sale date|"
        "日期|時間|時間日期|交易時間|交易日期|付款時間|銷售日期|时间|交易时间|付款时间|销售日期|"
        "下单时间",
        help_text=gettext_lazy("as in 2026-01-31 18:30, the store's own time"),
    )
    sku = Column(
        gettext_lazy("SKU"),
        read=read_code(60),
        aliases="product|product code|item|item code|stock code|article|barcode|貨號|商品編號|"
        "產品編號|商品代碼|货号|商品编号|产品编号|商品代码|条码|條碼",
    )
    description = Column(
        gettext_lazy("description"),
        read=read_text(300),
        aliases="product name|item name|商品名稱|產品名稱|品名|商品|说明|說明|商品名称|产品名称",
    )
    quantity = Column(
        gettext_lazy("quantity"),
        read=read_number,
        aliases="qty|units|數量|件數|数量|件数",
    )
    unit_price = Column(
        gettext_lazy("unit price"),
        read=read_number,
        aliases="price|單價|售價|单价|售价",
    )
    amount = Column(
        gettext_lazy("line amount"),
        read=read_number,
        aliases="amount|total|line total|subtotal|金額|小計|實收|實付金額|金额|小计|实收|实付金额",
        help_text=gettext_lazy("what was paid for the line; else quantity times unit price"),
    )
    currency = Column(
        gettext_lazy("currency"),
        read=read_code(3),
        aliases="currency code|幣別|貨幣|币种|货币",
    )
    member_code = Column(
        gettext_lazy("member number"),
        read=read_code(20),
        aliases="member no|member code|會員編號|會員號碼|会员编号|会员号",
    )
    customer = Column(
        gettext_lazy("customer number"),
        read=read_code(100),
        aliases="customer|customer id|customer no|member|顧客|客戶|顧客編號|客戶編號|會員|顾客|"
        "客户|客户编号|顾客编号|会员|卡號|卡号",
        help_text=gettext_lazy("also a phone, e-mail or member number"),
    )
    phone = Column(
        gettext_lazy("phone"),
        read=read_text(40),
        aliases="phone number|mobile|tel|電話|手機|手機號碼|手提電話|电话|手机|手机号|手机号码",
    )
    email = Column(
        gettext_lazy("e-mail"),
        read=read_text(254),
        aliases="email|mail|電郵|電子郵件|邮箱|电子邮件",
    )
    store = Column(
        gettext_lazy("store"),
        read=read_text(120),
        aliases="shop|branch|store code|門市|門店|分店|店鋪|门店|门市|店铺|门店编号",
    )
    method = Column(
        gettext_lazy("payment method"),
        read=read_code(40),
        aliases="method|paid by|tender|付款方式|支付方式",
    )
    kind = Column(
        gettext_lazy("kind"),
        read=read_word(
            {word: kind for kind, words in _KINDS.items() for word in words.split("|")}
        ),
        aliases="type|transaction type|類型|交易類型|类型|交易类型",
        help_text=gettext_lazy("payment or refund"),
    )
    original = Column(
        gettext_lazy("original order"),
        read=read_code(60),
        aliases="original order number|original invoice|refund of|原訂單|原單號|原訂單編號|"
        "原订单|原单号|原订单号",
        help_text=gettext_lazy("of a refund: the order that it takes back"),
    )

    needed = (("order",), ("occurred_at",), ("amount", "quantity"), ("amount", "unit_price"))
    lock = "import:sales"

    def check(self, rows: list[Row]) -> None:
        self._orders: list[Order] = []
        reader = OrderReader(self, Programme.current(), rows)
        for row in rows:
            reader.read_line(row)
        groups: dict[Any, list[Row]] = defaultdict(list)
        for row in rows:
            if row.get("order_key"):
                groups[row.values["order_key"]].append(row)
        self._orders = [order for group in groups.values() if (order := reader.read_order(group))]
        compare_with_booked(self._orders, provider=SHEET)
        for order in self._orders:
            order.spread_errors()

    def write(self, rows: list[Row]) -> None:
        fresh = [order.notice() for order in self._fresh_orders()]
        book_sales(fresh, account=sheet_account(), now=self.now)

    def summarise(self, rows: list[Row], result: SheetResult) -> None:
        fresh = self._fresh_orders()
        result.summary.append((_("New orders"), f"{len(fresh):,}"))
        totals: dict[tuple[Kind, str], Decimal] = defaultdict(Decimal)
        for order in fresh:
            totals[order.kind, order.currency] += order.total
        words = {Kind.PAYMENT: _("Payments"), Kind.REFUND: _("Refunds")}
        for (kind, currency), total in sorted(totals.items()):
            result.summary.append((words[kind], f"{currency} {total:,}"))
        result.summary.append((_("Orders without a customer"), _without_customer(fresh)))
        unknown = _unknown_skus(fresh)
        if unknown:
            result.summary.append((_("New products"), f"{len(unknown):,}"))

    def _fresh_orders(self) -> list[Order]:
        return [order for order in self._orders if not order.has_errors and not order.is_known]


def _without_customer(orders: Iterable[Order]) -> int:
    return sum(
        order.kind == Kind.PAYMENT and not order.member_code and not order.clues
        for order in orders
    )


def _unknown_skus(orders: Iterable[Order]) -> set[str]:
    skus = {line.sku for order in orders for line in order.lines}
    return skus - set(Product.objects.filter(sku__in=skus).values_list("sku", flat=True))
