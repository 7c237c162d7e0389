"""Settlement files as platforms make them, of invented sales, and the same sales in our books."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from payments.models import Account, Transaction
from payments.services.reconcile.comparing import compare_again
from payments.services.reconcile.reading import format_of, options_of, read_statement
from payments.services.reconcile.taking import Upload, take_statement
from payments.statements import all_formats
from tests.build import NOON

DAY = datetime(2026, 11, 20, 2, 0, tzinfo=UTC)  # Ten in the morning in Hong Kong.


@dataclass(frozen=True)
class Sale:
    """A payment, or a refund of one (then `of` names it)."""

    ref: str
    amount: Decimal
    at: datetime
    fee: Decimal = Decimal(0)
    of: str = ""

    @property
    def payment(self) -> str:
        return self.of or self.ref

    @property
    def sign(self) -> int:
        return -1 if self.of else 1


@dataclass(frozen=True)
class Kind:
    """How a platform writes its file, and under which references it books by callback."""

    provider: str
    currency: str
    write: Callable[[Sequence[Sale]], bytes]
    our_effect: Callable[[Sale], str] = lambda sale: sale.ref
    totals: bool = False


def sales(number: int, *, seed: int = 1, places: int = 2) -> list[Sale]:
    """One in twenty is refunded in part, an hour later, once."""
    dice = random.Random(seed)
    found = []
    for n in range(number * 20 // 21):
        amount = Decimal(dice.randrange(100, 100_000)).scaleb(-places)
        at = DAY + timedelta(seconds=n % 36_000)
        fee = (amount / 100).quantize(Decimal(1).scaleb(-places))
        sale = Sale(f"2026112022{n:012d}", amount, at, fee)
        found.append(sale)
        if n % 20 == 0:
            part = max((amount / 4).quantize(Decimal(1).scaleb(-places)), Decimal(1))
            found.append(Sale(f"5030{n:012d}", part, at + timedelta(hours=1), of=sale.ref))
    return found


def book(account: Account, kind: Kind, rows: Sequence[Sale]) -> dict[str, Transaction]:
    """The sales as callbacks would have booked them; by their references."""
    booked = {
        sale.ref: Transaction(
            account=account,
            source="callback",
            kind="refund" if sale.of else "payment",
            payment_ref=sale.payment,
            effect_ref=kind.our_effect(sale) if sale.of else sale.ref,
            amount=sale.amount,
            currency=kind.currency,
            is_total=kind.totals and bool(sale.of),
            occurred_at=sale.at,
            received_at=sale.at,
            order_ref=f"order-{sale.payment}",
            fee=sale.fee,
        )
        for sale in rows
    }
    Transaction.record(booked.values())
    return booked


def take(account: Account, content: bytes, *, user: Any = None, **given: Any) -> Any:
    """Upload and compare; the settlement as it stands then."""
    form = all_formats()[given.pop("form", "")] if "form" in given else format_of(content)
    statement = read_statement(content, form, replace(options_of(account), **given))
    upload = Upload(account, form.code, content, "statement.csv")
    settlement = take_statement(upload, statement, user=user, now=NOON)
    compare_again(settlement, now=NOON)
    settlement.refresh_from_db()
    return settlement


def _clock(sale: Sale, zone: str, form: str = "%Y-%m-%d %H:%M:%S") -> str:
    return sale.at.astimezone(ZoneInfo(zone)).strftime(form)


_ALIPAY = (
    "支付宝交易号,商户订单号,业务类型,商品名称,创建时间,完成时间,门店编号,门店名称,操作员,终端号,"
    "对方账户,订单金额（元）,商家实收（元）,支付宝红包（元）,退款批次号/请求号,服务费（元）,备注"
)


def alipay_file(rows: Sequence[Sale]) -> bytes:
    lines = [
        "#支付宝业务明细查询",
        "#账号：[20880000000000000156]",
        "#起始日期：[2026年11月20日 00:00:00]   终止日期：[2026年11月21日 00:00:00]",
        "#-----------------------------------------业务明细列表-----------------------------------",
        _ALIPAY,
    ]
    for sale in rows:
        at = _clock(sale, "Asia/Shanghai")
        kind, request = ("退款", sale.ref) if sale.of else ("交易", "")
        amount = sale.sign * sale.amount
        lines.append(
            f"{sale.payment}\t,order-{sale.payment}\t,{kind}\t,茶,{at},{at},\t,\t,\t,\t,*美(139****0000)\t,"
            f"{amount},{amount},0.00,{request}\t,{-sale.fee},"
        )
    paid = [sale.amount for sale in rows if not sale.of]
    back = [sale.amount for sale in rows if sale.of]
    lines += [
        "#-----------------------------------------业务明细列表结束-------------------------------",
        f"#交易合计：{len(paid)}笔，商家实收共{sum(paid)}元，商家优惠共0.00元",
        f"#退款合计：{len(back)}笔，商家实收退款共-{sum(back)}元，商家优惠退款共0.00元",
        "#导出时间：[2026年11月21日 07:00:00]",
    ]
    return "\r\n".join(lines).encode("gbk")


def wechat_file(rows: Sequence[Sale]) -> bytes:
    header = (
        "交易时间,公众账号ID,商户号,特约商户号,设备号,微信订单号,商户订单号,用户标识,交易类型,交易状态,付款银行,"
        "货币种类,应结订单金额,代金券金额,微信退款单号,商户退款单号,退款金额,充值券退款金额,退款类型,退款状态,"
        "商品名称,商户数据包,手续费,费率,订单金额,申请退款金额,费率备注"
    )
    lines = [header]
    for sale in rows:
        told = f"{sale.amount}"
        sold, returned = ("0.00", told) if sale.of else (told, "0.00")
        refund = [sale.ref, f"r-{sale.ref}"] if sale.of else ["0", "0"]
        cells = [
            *(_clock(sale, "Asia/Shanghai"), "wx0000", "1900000109", "0", "", sale.payment),
            *(f"order-{sale.payment}", "openid", "NATIVE", "REFUND" if sale.of else "SUCCESS"),
            *("OTHERS", "CNY", sold, "0.00", *refund, returned, "0.00"),
            *(("ORIGINAL", "SUCCESS") if sale.of else ("", "")),
            *("烏龍茶, 大", "", f"{sale.fee}000", "1.00%", sold, returned, ""),
        ]
        lines.append(",".join(f"`{cell}" for cell in cells))
    paid = sum((sale.amount for sale in rows if not sale.of), Decimal(0))
    back = sum((sale.amount for sale in rows if sale.of), Decimal(0))
    fees = sum((sale.fee for sale in rows), Decimal(0))
    lines.append(
        "总交易单数,应结订单总金额,退款总金额,充值券退款总金额,手续费总金额,订单总金额,申请退款总金额"
    )
    lines.append(f"`{len(rows)},`{paid},`{back},`0.00,`{fees}000,`{paid},`{back}")
    return ("\ufeff" + "\r\n".join(lines) + "\r\n").encode()


_STRIPE = (
    "balance_transaction_id,created_utc,available_on_utc,currency,gross,fee,net,"
    "reporting_category,source_id,customer_facing_amount,customer_facing_currency,"
    "payment_intent_id,charge_id,payment_method_type"
)
_ECPAY = (
    "特店交易編號,綠界交易編號,交易日期,付款方式,手續費率,結算日期,撥款日期,交易金額,金流手續費,"
    "平台手續費,退款金額,應收款項(淨額),金流處理費"
)


def stripe_file(rows: Sequence[Sale]) -> bytes:
    lines = [_STRIPE]
    for n, sale in enumerate(rows):
        gross, at = sale.sign * sale.amount, _clock(sale, "UTC")
        category, source = ("refund", sale.ref) if sale.of else ("charge", f"ch_{sale.ref}")
        lines.append(
            f"txn_{n},{at},2026-11-27 00:00:00,hkd,{gross},{sale.fee},{gross - sale.fee},"
            f"{category},{source},,,{sale.payment},ch_{sale.payment},card"
        )
    lines.append(
        "txn_payout,2026-11-20 23:00:00,2026-11-27 00:00:00,hkd,-1000.00,0.00,-1000.00,"
        "payout,po_1,,,,,"
    )
    return "\n".join(lines).encode()


def ecpay_file(rows: Sequence[Sale]) -> bytes:
    lines = [_ECPAY]
    for sale in rows:
        gross, at = sale.sign * sale.amount, _clock(sale, "Asia/Taipei", "%Y/%m/%d %H:%M:%S")
        lines.append(
            f"order-{sale.payment},{sale.payment},{at},信用卡,1%,2026/11/25 00:00:00,"
            f"2026/11/30 00:00:00,{gross},{sale.fee},0,0,{gross - sale.fee},0"
        )
    return "\n".join(lines).encode("big5hkscs")


def generic_file(rows: Sequence[Sale]) -> bytes:
    lines = ["Transaction date,Reference,Refund reference,Order no,Amount,Fee,CCY"]
    lines += [
        f"{_clock(sale, 'Asia/Hong_Kong')},{sale.payment},{sale.ref if sale.of else ''},"
        f"order-{sale.payment},{sale.sign * sale.amount},{sale.fee},HKD"
        for sale in rows
    ]
    return "\n".join(lines).encode()


KINDS = {
    "alipay": Kind(
        "alipay", "CNY", alipay_file, lambda sale: f"{sale.ref}:{sale.amount}", totals=True
    ),
    "wechat": Kind("wechatpay", "CNY", wechat_file),
    "stripe": Kind("stripe", "HKD", stripe_file),
    "ecpay": Kind("ecpay", "TWD", ecpay_file, lambda sale: f"by-hand-{sale.ref}"),
    "generic": Kind("octopus", "HKD", generic_file),
}
