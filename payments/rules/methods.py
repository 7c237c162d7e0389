"""Payment methods that the trade knows: one code each, local names, and every platform's words.

Each platform has a word of its own for the same wallet: AlipayHK is `ALIPAY_HK` at Antom,
`alipayhk` at Airwallex, `alipay_hk` at Adyen. `code_of` gives them all one code. A word that
nobody here knows is its own code, and the merchant names it in the admin.

payer_countries are those whose people carry it; none where it is known everywhere.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final

CARD: Final = "card"
WALLET: Final = "wallet"
BANK: Final = "bank"
CASH: Final = "cash"
OTHER: Final = "other"

LONGEST: Final = 40


@dataclass(frozen=True, slots=True)
class Method:
    """`words` are platforms' words beside the code itself, without regard to case and marks."""

    code: str
    kind: str
    name: str
    name_zh_hant: str = ""
    name_zh_hans: str = ""
    payer_countries: tuple[str, ...] = ()
    currencies: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


METHODS: Final = (
    Method(
        "alipay_cn", WALLET, "Alipay", "支付寶", "支付宝", ("CN",),
        words=("alipay", "alipaycn", "alipay_plus_cn", "zhifubao", "支付宝", "支付寶"),
    ),
    Method(
        "alipay_hk", WALLET, "AlipayHK", "AlipayHK 支付寶香港", "AlipayHK 支付宝香港", ("HK",),
        words=("alipayhk", "alipay_hongkong"),
    ),
    Method(
        "wechat_pay", WALLET, "WeChat Pay", "微信支付", "微信支付", ("CN",),
        words=("wechatpay", "wechat", "wechatpayqr", "wechatpaysdk", "weixin", "wxpay", "微信"),
    ),
    Method(
        "wechat_pay_hk", WALLET, "WeChat Pay HK", "WeChat Pay HK", "WeChat Pay HK", ("HK",),
        words=("wechatpayhk", "wechathk"),
    ),
    Method(
        "octopus", CARD, "Octopus", "八達通", "八达通", ("HK",), ("HKD",),
        words=("octopuscard", "oepay", "八達通"),
    ),
    Method(
        "fps", BANK, "FPS", "轉數快", "转数快", ("HK",), ("HKD", "CNY"),
        words=("fasterpaymentsystem", "fpshk", "轉數快"),
    ),
    Method("payme", WALLET, "PayMe", payer_countries=("HK",), currencies=("HKD",)),
    Method("boc_pay", WALLET, "BoC Pay", payer_countries=("HK",), words=("bocpay",)),
    Method("visa", CARD, "Visa", words=("visadebit", "visacredit")),
    Method("mastercard", CARD, "Mastercard", "萬事達卡", "万事达卡", words=("mc", "master")),
    Method("amex", CARD, "American Express", "美國運通", "美国运通", words=("americanexpress",)),
    Method("jcb", CARD, "JCB", payer_countries=("JP",)),
    Method(
        "unionpay", CARD, "UnionPay", "銀聯", "银联", ("CN",),
        words=("cup", "unionpayintl", "unionpayqr", "quickpass", "upop", "銀聯", "银联"),
    ),
    Method(
        "card", CARD, "Bank card", "信用卡／扣帳卡", "银行卡",
        words=("credit", "creditcard", "credit_creditcard", "scheme", "debit", "信用卡"),
    ),
    Method("apple_pay", WALLET, "Apple Pay", words=("applepay",)),
    Method(
        "google_pay", WALLET, "Google Pay", words=("googlepay", "paywithgoogle", "androidpay")
    ),
    Method("samsung_pay", WALLET, "Samsung Pay", words=("samsungpay",)),
    Method("paypal", WALLET, "PayPal"),
    Method(
        "linepay", WALLET, "LINE Pay", payer_countries=("TW", "TH"), words=("line_pay", "line")
    ),
    Method(
        "jkopay", WALLET, "JKOPAY", "街口支付", "街口支付", ("TW",), ("TWD",),
        words=("jko", "jkos", "街口"),
    ),
    Method(
        "px_pay", WALLET, "PX Pay", "全支付", "全支付", ("TW",), ("TWD",), ("pxpay", "pxpayplus"),
    ),
    Method("easycard", CARD, "EasyCard", "悠遊卡", "悠游卡", ("TW",), ("TWD",), ("easywallet",)),
    Method(
        "taiwan_pay", WALLET, "Taiwan Pay", "台灣 Pay", "台湾 Pay", ("TW",), ("TWD",),
        ("taiwanpay", "twqr"),
    ),
    Method(
        "esun_wallet", WALLET, "E.SUN Wallet", "玉山 Wallet", "玉山 Wallet", ("TW",), ("TWD",),
        ("esunwallet",),
    ),
    Method("atm", BANK, "ATM transfer", "ATM 轉帳", "ATM 转账", ("TW",), ("TWD",), ("vacc",)),
    Method("web_atm", BANK, "WebATM", "網路 ATM", "网络 ATM", ("TW",), ("TWD",), ("webatm",)),
    Method(
        "cvs", OTHER, "Convenience store", "超商代碼", "便利店代码", ("TW",), ("TWD",),
        ("barcode", "cvscom"),
    ),
    Method("paynow", BANK, "PayNow", payer_countries=("SG",), currencies=("SGD",)),
    Method(
        "grabpay", WALLET, "GrabPay",
        payer_countries=("SG", "MY", "PH"), words=("grab", "grabpaysg", "grabpaymy"),
    ),
    Method("gcash", WALLET, "GCash", payer_countries=("PH",)),
    Method(
        "tng", WALLET, "Touch 'n Go eWallet",
        payer_countries=("MY",), words=("touchngo", "touchngoewallet", "tngd"),
    ),
    Method("duitnow", BANK, "DuitNow", payer_countries=("MY",), words=("duitnowqr",)),
    Method("dana", WALLET, "DANA", payer_countries=("ID",)),
    Method(
        "truemoney", WALLET, "TrueMoney", payer_countries=("TH",), words=("truemoneywallet",)
    ),
    Method("promptpay", BANK, "PromptPay", payer_countries=("TH",), currencies=("THB",)),
    Method(
        "kakaopay", WALLET, "Kakao Pay", payer_countries=("KR",), words=("kakao", "kakaopayqr")
    ),
    Method("paypay", WALLET, "PayPay", payer_countries=("JP",)),
    Method(
        "bank_transfer", BANK, "Bank transfer", "銀行轉帳", "银行转账",
        words=("banktransfer", "轉帳"),
    ),
    Method("cash", CASH, "Cash", "現金", "现金", words=("現金", "现金")),
)  # fmt: skip

_MARKS: Final = re.compile(r"[^\w]|_")
# Platforms add the bank or the till to the word: `ATM_TAISHIN`, `visa_applepay`.
_PREFIXES: Final = {"atm": "atm", "webatm": "web_atm", "cvs": "cvs", "barcode": "cvs"}


def code_of(word: str) -> str:
    """The one code of a platform's word; empty for an empty one."""
    plain = _plain(word)
    known = _codes().get(plain)
    if known is not None:
        return known
    before, _mark, _rest = word.strip().lower().partition("_")
    return _PREFIXES.get(before) or word.strip().lower()[:LONGEST]


def wallet_country(code: str) -> str:
    """Where the payer is at home, if only people of one country hold the wallet; a card tells
    nothing: visitors are given Octopus cards too."""
    method = by_code().get(code)
    if method is None or method.kind != WALLET or len(method.payer_countries) != 1:
        return ""
    return method.payer_countries[0]


@cache
def by_code() -> dict[str, Method]:
    return {method.code: method for method in METHODS}


@cache
def _codes() -> dict[str, str]:
    return {
        _plain(word): method.code for method in METHODS for word in (method.code, *method.words)
    }


def _plain(word: str) -> str:
    return _MARKS.sub("", word.lower())
