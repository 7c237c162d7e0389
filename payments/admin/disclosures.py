"""Who read what unmasked, and why: for auditors."""

from django.contrib import admin
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter

from kit.admin import FactAdmin, PeriodFilter, RelatedFilter
from kit.scope import Scoping
from payments.models import Disclosure


@admin.register(Disclosure)
class DisclosureAdmin(FactAdmin):
    scope = Scoping(store="account__store", region="account__store__region")
    list_display = ["seen_at", "seen_by", "subject", "name", "account", "reason"]
    list_select_related = ["seen_by", "account"]
    list_filter = [
        ("subject", ChoicesDropdownFilter),
        ("seen_by", RelatedFilter),
        ("account", RelatedFilter),
        ("seen_at", PeriodFilter),
    ]
    search_fields = ["name", "reason", "seen_by__username"]
    ordering = ["-seen_at"]
    fields = ["seen_at", "seen_by", "subject", "name", "account", "reason"]
    when_empty = gettext_lazy("Nobody has read any content unmasked yet.")
    export_fields = ["seen_at", "seen_by__username", "subject", "name", "account__name", "reason"]
