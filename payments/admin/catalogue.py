"""Products and their categories."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext_lazy

from kit.admin import BaseAdmin, RelatedFilter, display
from kit.scope import EVERYBODY
from payments.import_pages import ProductImports
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


@admin.register(Product)
class ProductAdmin(ProductImports, BaseAdmin):
    scope = EVERYBODY
    list_display = ["sku", "__str__", "category"]
    list_select_related = ["category"]
    list_filter = [("category", RelatedFilter)]
    search_fields = ["sku", *_NAMES]
    autocomplete_fields = ["category"]
    fields = ["sku", "category", *_NAMES]
    export_fields = ["sku", "name", "category__code"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
