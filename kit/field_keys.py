"""What a field of somebody else's payload holds, as far as its key tells."""

import re
from enum import Enum, auto
from functools import lru_cache
from typing import Final


class Holds(Enum):
    MEASURE = auto()  # Amounts, times, names of goods: readable, whomever they are about.
    DEAL = auto()  # Numbers of orders and payments: the same.
    MEMBER = auto()  # The code of a member, unless it is an object about one.
    PERSON = auto()  # Whatever stands in it or below it.
    NUMBER_OF_PERSON = auto()  # Ids and cards: their ends are shown, to compare them.
    NAME = auto()  # "name" alone: of a person, but of goods where goods are listed.
    REFERENCE = auto()  # Ids, numbers, codes and signatures.
    THING = auto()  # Goods and shops, whose names are nobody's.
    ANYTHING = auto()


_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_NUMBERED: Final = (
    r"(?:ids?|nos?|num(?:ber)?s?|refs?|references?|codes?|sn|編號|编号|單號|单号|號碼|号码)"
)
_THINGS: Final = (
    r"(?:product|goods|item|merchant|store|shop|branch|outlet|seller|psp|categor(?:y|ie)|coupon"
    r"|voucher|discount|campaign|promotion|tax|modifier|variant|terminal|event|plan)"
)
_PERSONS: Final = (
    r"customer|buyer|payer|shopper|cardholder|recipient|consignee|billing|shipping|passenger"
    r"|carrier|carruer|counterpart(?:y|ies)"
    r"|(?:^|_)(?:member|user|people|contact|guest|person|client|holder|patient|receiver|owner|delivery"
    r"|consumer|subscriber|attendee|beneficiary)s?(?:_|$)"
    r"|客戶|客户|顧客|顾客|會員|会员|聯絡|联系|收件|收貨|收货|買家|买家"
    r"|付款人|付款方|收款人|對方|对方|戶名|户名|交易對象|交易对象"
)
_FREE: Final = (
    r"(?:^|_)(?:note|remark|memo|comment|instruction|feedback|special_request)s?(?:_\d+)?$"
    r"|(?:^|_)(?:note|message)_(?:to|from|for)_|備註|备注|附言|留言"
)
_NAMED: Final = (
    r"name|nick|mail|phone|mobile|address|street|postal|passport|logon|last_?4|wechat(?!_?pay)"
    r"|weixin|whatsapp|telegram|facebook|instagram"
    r"|(?:^|_)(?:tel|zip|city|district|ip|iban|dob|line_id)(?:_|$)|line_?[12]$"
    r"|(?:^|_)id_?(?:no|number|card)$"
    r"|姓名|名字|稱呼|称呼|電話|电话|手機|手机|地址|電郵|邮箱|身份證|身份证"
)
_MEASURE: Final = (
    r"(?:amount|amt|total|time|dtm|(?:^|_)(?:fee|money|price|rate|points|balance|count|quantity"
    r"|qty|date|timestamp|created|updated|since|at|on|brand|language|locale|method|status|type"
    r"|tier|level|verified)|(?:currency|country)(?:_code)?|金額|金额|時間|时间|日期|數量|数量)$"
    rf"|^(?:{_THINGS}_?)+name$"
)
_REFERENCE: Final = (
    rf"(?:{_NUMBERED}|barcode|ean|upc|gtin|sku|token|key|sign|signature|hash|uuid|url|uri|href"
    r"|gwsr|serial|nonce)(?:_\d+)?$"
)
# The first that fits says it.
_KINDS: Final = [
    (Holds.PERSON, r"birth|dob$|生日"),
    (Holds.MEASURE, _MEASURE),
    (
        Holds.DEAL,
        rf"(?:order|payment|trade|transaction|txn|invoice|refund|receipt|charge|訂單|订单|交易|付款)_?{_NUMBERED}?$",
    ),
    (Holds.PERSON, _FREE),
    (Holds.NAME, r"^(?:display_)?name(?:_|$)"),
    (Holds.PERSON, _NAMED),
    (Holds.MEMBER, rf"(?:^|_)member(?:ship)?(?:_?(?:{_NUMBERED}|card))?$|^(?:會員|会员)"),
    (
        Holds.NUMBER_OF_PERSON,
        rf"open_?id|user_?id|union_?id|fingerprint|(?:{_PERSONS}).*{_NUMBERED}$",
    ),
    (Holds.PERSON, _PERSONS),
    (Holds.NUMBER_OF_PERSON, r"card"),
    (Holds.REFERENCE, _REFERENCE),
    (Holds.THING, rf"(?:^|_)(?:{_THINGS}(?:s|es)?|lines)(?:_(?:info|details?|list))?$"),
]
_RULES: Final = [(holds, re.compile(pattern)) for holds, pattern in _KINDS]


@lru_cache(maxsize=2_000)
def held_by(key: str) -> Holds:
    """By `key`, however it is written: "buyerName", "buyer_name", "Buyer name"."""
    words = "_".join(_WORD.findall(key)).lower()
    return next((holds for holds, rule in _RULES if rule.search(words)), Holds.ANYTHING)
