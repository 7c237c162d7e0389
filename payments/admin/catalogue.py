"""Products and their categories."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _
from unfold.contrib.filters.admin import DropdownFilter

from kit.admin import BaseAdmin, RelatedFilter, also_save, display
from kit.scope import EVERYBODY
from payments.imports.pages import ProductImports
from payments.models import Category, Product

_NAMES = ["name", "name_zh_hant", "name_zh_hans"]
_SEARCHED = ["code", *_NAMES]


@admin.register(Category)
class CategoryAdmin(BaseAdmin):
    scope = EVERYBODY
    list_display = ["code", "in_tree", "parent"]
    list_select_related = ["parent__parent__parent"]
    search_fields = _SEARCHED
    autocomplete_fields = ["parent"]
    fields = ["code", "parent", *_NAMES]
    export_fields = ["code", "name", "parent__code"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Category]:
        return super().get_queryset(request).select_related("parent__parent__parent")

    @display(description=gettext_lazy("category"))
    def in_tree(self, category: Category) -> str:
        """Its place under its parents; deeper levels than four are cut."""
        path, here = [str(category)], category.parent
        while here is not None and len(path) < 4:
            path.append(str(here))
            here = here.parent
        return format_html("{}", " › ".join(reversed(path)))


class LearntFilter(DropdownFilter):  # type: ignore[misc]
    """What sales taught us, and nobody has completed yet."""

    title = gettext_lazy("completed")
    parameter_name = "learnt"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("learnt from sales")), ("no", _("completed"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        if self.value() not in {"yes", "no"}:
            return queryset
        return queryset.filter(is_learnt=self.value() == "yes")


class BrandFilter(DropdownFilter):  # type: ignore[misc]
    title = gettext_lazy("brand")
    parameter_name = "brand"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        brands = Product.objects.exclude(brand="").order_by("brand")
        return [(brand, brand) for brand in brands.values_list("brand", flat=True).distinct()]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        return queryset.filter(brand=self.value()) if self.value() else queryset


@admin.register(Product)
class ProductAdmin(ProductImports, BaseAdmin):
    scope = EVERYBODY
    list_display = ["sku", "__str__", "brand", "category", "shown_cost", "shown_learnt"]
    list_select_related = ["category"]
    list_filter = [LearntFilter, ("category", RelatedFilter), BrandFilter]
    search_fields = ["sku", *_NAMES, "brand", "barcode__exact"]
    autocomplete_fields = ["category"]
    fieldsets = [
        (None, {"fields": ["sku", "category", *_NAMES, "brand", "barcode"]}),
        (gettext_lazy("Cost and supply"), {
            "fields": ["cost", "cost_currency", "launched_on", "days_of_supply"],
        }),
    ]  # fmt: skip
    export_fields = [
        *("sku", "name", "name_zh_hant", "name_zh_hans", "category__code", "brand", "barcode"),
        *("cost", "cost_currency", "launched_on", "days_of_supply"),
    ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        obj.is_learnt = False  # Somebody has looked at it.
        also_save(form, "is_learnt")
        super().save_model(request, obj, form, change)

    @display(description=gettext_lazy("unit cost"), ordering="cost")
    def shown_cost(self, product: Product) -> str:
        cost = product.unit_cost
        return cost.display(get_language() or "en") if cost else "–"

    @display(
        description=gettext_lazy("completed"),
        label={"learnt": "warning", "completed": "success"},
        ordering="is_learnt",
    )
    def shown_learnt(self, product: Product) -> tuple[str, str]:
        if product.is_learnt:
            return "learnt", _("learnt from sales")
        return "completed", _("completed")
