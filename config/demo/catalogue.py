"""What the demo merchant sells: a tree of categories and some sixty products, prices in HKD."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Final

from config.demo.words import Words


@dataclass(frozen=True, slots=True)
class Shelf:
    """A category; `weight` is how often baskets reach for it."""

    code: str
    parent: str
    words: Words
    weight: int = 0


@dataclass(frozen=True, slots=True)
class Item:
    sku: str
    shelf: str
    price: Decimal
    words: Words


SHELVES: Final = (
    Shelf("tea", "", Words("Tea", "茶葉", "茶叶")),
    Shelf("green", "tea", Words("Green tea", "綠茶", "绿茶"), 5),
    Shelf("oolong", "tea", Words("Oolong", "烏龍茶", "乌龙茶"), 8),
    Shelf("black", "tea", Words("Black tea", "紅茶", "红茶"), 5),
    Shelf("puer", "tea", Words("Pu'er", "普洱茶", "普洱茶"), 4),
    Shelf("herbal", "tea", Words("Flower and herbal tea", "花草茶", "花草茶"), 5),
    Shelf("teaware", "", Words("Teaware", "茶具", "茶具")),
    Shelf("pots", "teaware", Words("Pots and gaiwans", "茶壺與蓋碗", "茶壶与盖碗"), 2),
    Shelf("cups", "teaware", Words("Cups", "茶杯", "茶杯"), 3),
    Shelf("tools", "teaware", Words("Trays and tools", "茶盤與茶道具", "茶盘与茶道具"), 2),
    Shelf("home", "", Words("Home", "家居", "家居")),
    Shelf("scent", "home", Words("Incense and candles", "線香與蠟燭", "线香与蜡烛"), 3),
    Shelf("linen", "home", Words("Linen", "布品", "布品"), 2),
    Shelf("ceramics", "home", Words("Tableware", "餐具", "餐具"), 2),
    Shelf("sweets", "", Words("Sweets", "茶點", "茶点"), 5),
    Shelf("gifts", "", Words("Gift boxes", "禮盒", "礼盒"), 2),
)


def _item(sku: str, shelf: str, price: int, *words: str) -> Item:
    return Item(sku, shelf, Decimal(price), Words(*words))


ITEMS: Final = (
    _item("GR-01", "green", 128, "Longjing, spring, 75 g", "明前龍井 75 克", "明前龙井 75 克"),
    _item("GR-02", "green", 98, "Biluochun, 75 g", "碧螺春 75 克", "碧螺春 75 克"),
    _item("GR-03", "green", 88, "Sencha, 100 g", "煎茶 100 克", "煎茶 100 克"),
    _item("GR-04", "green", 168, "Matcha, 40 g", "抹茶粉 40 克", "抹茶粉 40 克"),
    _item("GR-05", "green", 78, "Genmaicha, 100 g", "玄米茶 100 克", "玄米茶 100 克"),
    _item("OO-01", "oolong", 138, "Tieguanyin, 100 g", "鐵觀音 100 克", "铁观音 100 克"),
    _item("OO-02", "oolong", 188, "Alishan oolong, 75 g", "阿里山烏龍 75 克", "阿里山乌龙 75 克"),
    _item("OO-03", "oolong", 158, "Dongding oolong, 100 g", "凍頂烏龍 100 克", "冻顶乌龙 100 克"),
    _item("OO-04", "oolong", 218, "Oriental Beauty, 50 g", "東方美人 50 克", "东方美人 50 克"),
    _item("OO-05", "oolong", 268, "Da Hong Pao, 50 g", "大紅袍 50 克", "大红袍 50 克"),
    _item("OO-06", "oolong", 118, "Dancong, 75 g", "蜜蘭單叢 75 克", "蜜兰单丛 75 克"),
    _item("BL-01", "black", 98, "Keemun, 100 g", "祁門紅茶 100 克", "祁门红茶 100 克"),
    _item("BL-02", "black", 118, "Yunnan golden tips, 75 g", "滇紅金芽 75 克", "滇红金芽 75 克"),
    _item("BL-03", "black", 128, "Sun Moon Lake, 75 g", "日月潭紅茶 75 克", "日月潭红茶 75 克"),
    _item("BL-04", "black", 68, "Milk tea, 250 g", "港式奶茶茶葉 250 克", "港式奶茶茶叶 250 克"),
    _item("BL-05", "black", 88, "Earl Grey, 100 g", "伯爵茶 100 克", "伯爵茶 100 克"),
    _item("PU-01", "puer", 198, "Ripe pu'er cake, 200 g", "熟普洱餅 200 克", "熟普洱饼 200 克"),
    _item("PU-02", "puer", 328, "Raw pu'er cake, 200 g", "生普洱餅 200 克", "生普洱饼 200 克"),
    _item("PU-03", "puer", 88, "Pu'er in tangerine, 6", "小青柑普洱 6 粒", "小青柑普洱 6 粒"),
    _item("PU-04", "puer", 880, "Aged pu'er, ten years", "十年陳普洱", "十年陈普洱"),
    _item("HE-01", "herbal", 58, "Chrysanthemum, 50 g", "杭白菊 50 克", "杭白菊 50 克"),
    _item("HE-02", "herbal", 68, "Osmanthus, 40 g", "桂花 40 克", "桂花 40 克"),
    _item("HE-03", "herbal", 78, "Rose buds, 50 g", "玫瑰花蕾 50 克", "玫瑰花蕾 50 克"),
    _item("HE-04", "herbal", 72, "Ginger and red date, 12 bags", "薑棗茶 12 包", "姜枣茶 12 包"),
    _item("HE-05", "herbal", 66, "Roselle, 80 g", "洛神花 80 克", "洛神花 80 克"),
    _item("HE-06", "herbal", 82, "Buckwheat, 200 g", "蕎麥茶 200 克", "荞麦茶 200 克"),
    _item("PO-01", "pots", 480, "Clay pot, 180 ml", "朱泥壺 180 毫升", "朱泥壶 180 毫升"),
    _item("PO-02", "pots", 268, "Gaiwan, white", "白瓷蓋碗", "白瓷盖碗"),
    _item("PO-03", "pots", 328, "Glass pot, 450 ml", "玻璃茶壺 450 毫升", "玻璃茶壶 450 毫升"),
    _item("PO-04", "pots", 1280, "Wood-fired pot", "柴燒茶壺", "柴烧茶壶"),
    _item("PO-05", "pots", 238, "Travel set", "旅行茶具組", "旅行茶具组"),
    _item("CU-01", "cups", 88, "Tasting cup, celadon", "青瓷品茗杯", "青瓷品茗杯"),
    _item("CU-02", "cups", 98, "Double-wall glass", "雙層玻璃杯", "双层玻璃杯"),
    _item("CU-03", "cups", 128, "Mug, indigo", "靛藍馬克杯", "靛蓝马克杯"),
    _item("CU-04", "cups", 248, "Cups, set of four", "品茗杯四件組", "品茗杯四件组"),
    _item("CU-05", "cups", 178, "Fairness cup", "公道杯", "公道杯"),
    _item("TO-01", "tools", 368, "Bamboo tray", "竹茶盤", "竹茶盘"),
    _item("TO-02", "tools", 58, "Strainer", "茶漏", "茶漏"),
    _item("TO-03", "tools", 148, "Caddy, tin", "錫茶葉罐", "锡茶叶罐"),
    _item("TO-04", "tools", 118, "Matcha whisk", "茶筅", "茶筅"),
    _item("TO-05", "tools", 198, "Kettle stand, cast iron", "鑄鐵壺座", "铸铁壶座"),
    _item("SC-01", "scent", 88, "Sandalwood incense", "檀香線香", "檀香线香"),
    _item("SC-02", "scent", 168, "Agarwood incense", "沉香線香", "沉香线香"),
    _item("SC-03", "scent", 158, "Candle, white tea", "白茶香氛蠟燭", "白茶香氛蜡烛"),
    _item("SC-04", "scent", 148, "Incense holder", "香插", "香插"),
    _item("SC-05", "scent", 198, "Room diffuser, cypress", "檜木擴香", "桧木扩香"),
    _item("LI-01", "linen", 78, "Tea towel", "茶巾", "茶巾"),
    _item("LI-02", "linen", 188, "Table runner", "桌旗", "桌旗"),
    _item("LI-03", "linen", 258, "Cushion cover", "靠墊套", "靠垫套"),
    _item("LI-04", "linen", 98, "Coasters, four", "杯墊四件組", "杯垫四件组"),
    _item("CE-01", "ceramics", 128, "Bowl, ash glaze", "灰釉碗", "灰釉碗"),
    _item("CE-02", "ceramics", 168, "Plate, celadon", "青瓷盤", "青瓷盘"),
    _item("CE-03", "ceramics", 218, "Bud vase", "小花瓶", "小花瓶"),
    _item("CE-04", "ceramics", 68, "Sauce dish", "小碟", "小碟"),
    _item("SW-01", "sweets", 68, "Pineapple cakes, six", "鳳梨酥 6 件", "凤梨酥 6 件"),
    _item("SW-02", "sweets", 58, "Mung bean cakes", "綠豆糕", "绿豆糕"),
    _item("SW-03", "sweets", 78, "Nougat", "牛軋糖", "牛轧糖"),
    _item("SW-04", "sweets", 48, "Sesame crisps", "芝麻脆餅", "芝麻脆饼"),
    _item("SW-05", "sweets", 88, "Dried mango", "芒果乾", "芒果干"),
    _item("GI-01", "gifts", 388, "Gift box, four teas", "四品茗茶禮盒", "四品茗茶礼盒"),
    _item("GI-02", "gifts", 688, "Gift box, tea and cups", "茶與杯禮盒", "茶与杯礼盒"),
    _item("GI-03", "gifts", 268, "Mooncakes and tea", "月餅茶禮盒", "月饼茶礼盒"),
    _item("GI-04", "gifts", 328, "New Year box", "新春禮盒", "新春礼盒"),
    _item("GI-05", "gifts", 1180, "Collector's box", "典藏禮盒", "典藏礼盒"),
)

# Invented houses; what is not named is the shop's own.
HOUSE_BRAND: Final = "Wuyin"
BRANDS: Final[Mapping[str, str]] = {
    "puer": "Laohe",
    "pots": "Yanyao",
    "ceramics": "Yanyao",
    "scent": "Senlu",
    "linen": "Senlu",
}
DAYS_OF_SUPPLY: Final[Mapping[str, int]] = {
    **dict.fromkeys(("green", "oolong", "black", "puer", "herbal"), 30),
    "scent": 60,
    "sweets": 14,
}
_COST_SHARE: Final = Decimal("0.38")

# What a till asks for in each currency for HKD 1, and the coin that prices end on.
_PRICING: Final[Mapping[str, tuple[Decimal, Decimal]]] = {
    "HKD": (Decimal(1), Decimal(1)),
    "TWD": (Decimal(4), Decimal(10)),
    "CNY": (Decimal("0.92"), Decimal(1)),
    "SGD": (Decimal("0.172"), Decimal("0.50")),
    "USD": (Decimal("0.128"), Decimal("0.50")),
    "JPY": (Decimal(20), Decimal(10)),
}


def cost_of(item: Item) -> Decimal:
    """What one costs the shop, in HKD."""
    return (item.price * _COST_SHARE).quantize(Decimal("0.10"), ROUND_HALF_UP)


def price_in(item: Item, currency: str) -> Decimal:
    factor, coin = _PRICING[currency]
    return (item.price * factor / coin).quantize(Decimal(1), ROUND_HALF_UP) * coin
