"""Products by spreadsheet, with their categories and the tree that these stand in."""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from kit.money import Money, MoneyError
from kit.spreadsheet_cells import read_code, read_day, read_number, read_text
from kit.spreadsheet_import import (
    CHANGED,
    SAME,
    Column,
    Row,
    SheetResource,
    SheetResult,
    refuse_repeats,
)
from members.models import Programme
from payments.models import Category, Product

_BATCH = 2000
_NAMES = ("name", "name_zh_hant", "name_zh_hans")
_FACTS = ("brand", "barcode", "cost", "cost_currency", "launched_on", "days_of_supply")
_MOST_DAYS = 3650


class ProductSheet(SheetResource):
    sku = Column(
        gettext_lazy("SKU"),
        read=read_code(60),
        aliases="product code|code|item|item code|stock code|article|貨號|商品編號|"
        "產品編號|商品代碼|货号|商品编号|产品编号|商品代码",
    )
    name = Column(
        gettext_lazy("name"),
        read=read_text(120),
        aliases="product name|product|description|english name|名稱|品名|商品名稱|產品名稱|"
        "英文名稱|名称|商品名称|产品名称|英文名称",
    )
    name_zh_hant = Column(
        gettext_lazy("name in 繁體中文"),
        read=read_text(120),
        aliases="name zh-hant|name_zh_hant|traditional chinese name|繁體名稱|繁體中文名稱|"
        "中文名稱|繁体名称|繁体中文名称",
    )
    name_zh_hans = Column(
        gettext_lazy("name in 简体中文"),
        read=read_text(120),
        aliases="name zh-hans|name_zh_hans|simplified chinese name|簡體名稱|簡體中文名稱|"
        "简体名称|简体中文名称|中文名称",
    )
    category = Column(
        gettext_lazy("category"),
        read=read_text(40),
        aliases="category code|department|類別|類別編號|分類|分類編號|类别|类别编号|分类|分类编号",
        help_text=gettext_lazy("code or name; an unknown one is added"),
    )
    category_name = Column(
        gettext_lazy("category name"),
        read=read_text(120),
        aliases="類別名稱|分類名稱|类别名称|分类名称",
    )
    parent = Column(
        gettext_lazy("parent category"),
        read=read_text(40),
        aliases="parent|parent code|上層類別|上級分類|母類別|上级类别|上级分类|父类别|父分类",
    )
    brand = Column(
        gettext_lazy("brand"), read=read_text(80), aliases="brand name|品牌|牌子|品牌名稱|品牌名称"
    )
    barcode = Column(
        gettext_lazy("barcode"),
        read=read_code(40),
        aliases="ean|upc|gtin|bar code|條碼|國際條碼|条码|国际条码|商品条码",
    )
    cost = Column(
        gettext_lazy("unit cost"),
        read=read_number,
        aliases="cost|cost price|purchase price|成本|單位成本|進貨價|单位成本|进货价|成本价",
    )
    cost_currency = Column(
        gettext_lazy("currency of the cost"),
        read=read_code(3),
        aliases="cost currency|currency|成本貨幣|成本幣別|成本货币|成本币种",
        help_text=gettext_lazy("empty: the programme's currency"),
    )
    launched_on = Column(
        gettext_lazy("launched on"),
        read=read_day,
        aliases="launch date|launched|on sale since|上市日期|推出日期|上架日期|上市日",
    )
    days_of_supply = Column(
        gettext_lazy("days of supply"),
        read=read_number,
        aliases="supply days|days supply|lasts days|可用天數|使用天數|可用天数|使用天数",
        help_text=gettext_lazy("how long one lasts its buyer"),
    )

    needed = (("sku",),)
    lock = "import:products"

    def check(self, rows: list[Row]) -> None:
        for row in rows:
            if not row.get("sku"):
                row.refuse(_("This is empty but needed."), self.fields["sku"].label)
        refuse_repeats(
            rows, lambda row: row.get("sku"), _("The same SKU stands in row %(row)s already.")
        )
        self._tree = CategoryTree()
        self._currency = Programme.current().currency
        known = _products(row.get("sku") for row in rows)
        for row in rows:
            if not row.errors:
                self._judge(row, known.get(row.values["sku"]))

    def write(self, rows: list[Row]) -> None:
        self._tree.write({id(row.get("wanted_category")) for row in rows})
        fresh = [row.values["product"] for row in rows if row.values["product"].pk is None]
        changed = [row.values["product"] for row in rows if row.values["product"].pk is not None]
        for row in rows:
            _apply(row)
        Product.objects.bulk_create(fresh, batch_size=_BATCH)
        Product.objects.bulk_update(
            changed, [*_NAMES, *_FACTS, "category", "is_learnt"], batch_size=_BATCH
        )

    def summarise(self, rows: list[Row], result: SheetResult) -> None:
        wanted = {id(row.get("wanted_category")) for row in rows if not row.errors}
        if count := len(self._tree.unknown(wanted)):
            result.summary.append((_("New categories"), count))

    def _judge(self, row: Row, product: Product | None) -> None:
        category, moved = self._category(row)
        if row.errors:
            return
        row.values["wanted_category"] = category
        row.values["product"] = product or Product(sku=row.values["sku"])
        given = {name: row.values[name] for name in _NAMES if row.get(name)}
        facts = self._facts(row)
        if product is None:
            if not given:
                row.refuse(_("A new product needs a name."), self.fields["name"].label)
            row.values["changed"] = {"name": next(iter(given.values()), ""), **given, **facts}
            return
        given |= facts
        changed = {name: value for name, value in given.items() if value != getattr(product, name)}
        row.values["changed"] = changed
        row.changes = {
            name: f"{_shown(getattr(product, name))} → {_shown(value)}"
            for name, value in changed.items()
        }
        is_other = category is not None and category.pk != product.category_id
        if category is not None and (is_other or category.pk is None):
            row.changes["category"] = f"{product.category or '-'} → {category}"
        row.outcome = (
            CHANGED if changed or is_other or category_is_new(category) or moved else SAME
        )

    def _facts(self, row: Row) -> dict[str, Any]:
        """What the row says beside names; an empty cell changes nothing."""
        found = {name: row.values[name] for name in _FACTS if row.get(name) not in {None, ""}}
        if "cost" in found:
            found["cost_currency"] = (row.get("cost_currency") or self._currency).upper()
            try:
                found["cost"] = Money.parse(found["cost"], found["cost_currency"]).amount
            except MoneyError:
                found["cost"] = Decimal(-1)
            if found["cost"] < 0:
                row.refuse(
                    _("This is no amount of %(currency)s.") % {"currency": found["cost_currency"]},
                    self.fields["cost"].label,
                )
        else:
            found.pop("cost_currency", None)
        days = found.get("days_of_supply")
        if days is not None and (days != int(days) or not 0 < days <= _MOST_DAYS):
            row.refuse(
                _("Write a whole number of days, at most 3650."),
                self.fields["days_of_supply"].label,
            )
        return found | ({} if days is None else {"days_of_supply": int(days)})

    def _category(self, row: Row) -> tuple[Category | None, bool]:
        """The category that the row names, and whether the row moves it under another one."""
        word = row.get("category") or row.get("category_name")
        if not word:
            if row.get("parent"):
                row.refuse(_("A parent is given but no category."), self.fields["category"].label)
            return None, False
        category = self._tree.find(word, name=row.get("category_name") or "")
        if not row.get("parent"):
            return category, False
        try:
            return category, self._tree.move(category, self._tree.find(row.values["parent"]))
        except TangledTree as problem:
            row.refuse(str(problem), self.fields["parent"].label)
            return None, False


class TangledTree(ValueError):
    """A category below itself, or below two others."""


class CategoryTree:
    """Every category by its code and names, those that the file brings included."""

    def __init__(self) -> None:
        self._known: dict[str, Category] = {}
        self._moved: dict[int, Category] = {}
        for category in Category.objects.select_related("parent"):
            for word in (category.name, category.name_zh_hant, category.name_zh_hans):
                if word:
                    self._known.setdefault(word.casefold(), category)
        for category in list({id(c): c for c in self._known.values()}.values()):
            self._known[category.code.casefold()] = category
        by_key = {category.pk: category for category in self._known.values()}
        for category in by_key.values():
            category.parent = by_key.get(category.parent_id or 0)  # One object for each category.

    def find(self, word: str, *, name: str = "") -> Category:
        key = word.casefold()
        if key not in self._known:
            fresh = Category(code=word[:40], name=name or word)
            self._known[key] = fresh
            if name:
                self._known.setdefault(name.casefold(), fresh)
        return self._known[key]

    def move(self, category: Category, parent: Category) -> bool:
        """Put `category` under `parent`; whether that is news. Raises TangledTree."""
        if category.parent is parent:
            return id(category) in self._moved
        if id(category) in self._moved:
            raise TangledTree(
                _("Another row puts this category under “%(parent)s”.")
                % {"parent": category.parent}
            )
        above: Category | None = parent
        while above is not None:
            if above is category:
                raise TangledTree(_("A category cannot stand below itself."))
            above = above.parent
        category.parent = parent
        self._moved[id(category)] = category
        return True

    def unknown(self, wanted: set[int]) -> list[Category]:
        """The new ones among `wanted` and above them, in the order of their codes."""
        found: dict[str, Category] = {}
        for category in {id(c): c for c in self._known.values()}.values():
            above: Category | None = category if id(category) in wanted else None
            while above is not None:
                if above.pk is None:
                    found[above.code] = above
                above = above.parent
        return [found[code] for code in sorted(found)]

    def write(self, wanted: set[int]) -> None:
        """Insert the new ones, then hang all of them where they belong."""
        fresh = self.unknown(wanted)
        parents = {category.code: category.parent for category in fresh}
        moved = [c for key, c in self._moved.items() if key in wanted and c.pk is not None]
        for category in fresh:
            category.parent = None
        Category.objects.bulk_create(fresh, batch_size=_BATCH)
        for category in fresh:
            category.parent = parents[category.code]
        hung = [category for category in (*fresh, *moved) if category.parent is not None]
        for category in hung:
            category.parent = category.parent  # Its key is known only now.
        Category.objects.bulk_update(hung, ["parent"], batch_size=_BATCH)


def category_is_new(category: Category | None) -> bool:
    return category is not None and category.pk is None


def _products(skus: Iterable[Any]) -> dict[str, Product]:
    wanted = {sku for sku in skus if sku}
    rows = Product.objects.filter(sku__in=wanted).select_related("category")
    return {product.sku: product for product in rows}


def _apply(row: Row) -> None:
    product: Product = row.values["product"]
    for name, text in row.values["changed"].items():
        setattr(product, name, text)
    category = row.get("wanted_category")
    if category is not None:
        product.category = category
    product.is_learnt = False  # Somebody has completed it.


def _shown(value: Any) -> str:
    if value in {None, ""}:
        return "-"
    return f"{value.normalize():f}" if isinstance(value, Decimal) else str(value)
