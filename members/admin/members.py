"""The admin of who: regions, stores, programme, staff scopes; the base of members."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import ChoicesDropdownFilter
from unfold.widgets import UnfoldAdminTextInputWidget

from kit.admin import (
    BaseAdmin,
    BaseTabular,
    FactAdmin,
    PeriodFilter,
    RelatedFilter,
    action,
    display,
    may_see_personal_data,
)
from kit.masking import mask_name
from kit.scope import EVERYBODY, HEADQUARTERS, Scoping
from members.admin.forms import ConsentDialog, EnrolForm
from members.models import (
    Closure,
    Consent,
    Member,
    OpeningHours,
    Programme,
    Region,
    StaffScope,
    Store,
)
from members.scopes import staff_scope_of  # noqa: F401 - importing it tells kit of the scopes.
from members.search import members_matching
from members.services.consents import set_consent
from members.services.links import page_url

OF_MEMBER = Scoping(store="member__home_store", region="member__region")


class MemberAdmin(BaseAdmin):
    """Registered in config/admin, which enrols, and adds what the member holds."""

    scope = Scoping(store="home_store", region="region")
    list_display = ["code", "shown_name", "region", "home_store", "language", "joined_at"]
    list_select_related = ["region", "home_store"]
    list_filter = [
        ("region", RelatedFilter),
        ("home_store", RelatedFilter),
        ("language", ChoicesDropdownFilter),
        ("joined_at", PeriodFilter),
    ]
    search_fields = ["code"]
    search_help_text = gettext_lazy("Member number, or a whole phone number or e-mail address")
    export_fields = ["code", "name", "region__code", "home_store__code", "language", "joined_at"]
    personal_fields = ["name", "born_on"]
    autocomplete_fields = ["region", "home_store"]
    add_form = EnrolForm
    actions_detail = ["record_consent", "open_member_page"]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Member], search_term: str
    ) -> tuple[QuerySet[Member], bool]:
        return queryset.filter(members_matching(search_term)) if search_term else queryset, False

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is None:
            kwargs["form"] = self.add_form
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        name = "name" if obj is None or may_see_personal_data(request) else "shown_name"
        asked = ["name", "region", "home_store", "language", "born_on", "phone", "email"]
        if obj is None:
            return [(None, {"fields": asked})]
        born = ["born_on"] if may_see_personal_data(request) else []
        return [(None, {"fields": [name, "region", "home_store", "language", *born]})]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [] if obj is None else ["shown_name"]

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "name":
            kwargs["widget"] = UnfoldAdminTextInputWidget()
        return super().formfield_for_dbfield(db_field, request, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    @action(
        description=gettext_lazy("Record consent"),
        icon="how_to_reg",
        permissions=["change"],
        dialog={
            "title": gettext_lazy("Record consent"),
            "description": gettext_lazy("What the member said last is what counts."),
            "form_class": ConsentDialog,
            "form_submit_text": gettext_lazy("Record"),
        },
    )
    def record_consent(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        member = self.member_or_refuse(request, object_id)
        set_consent(
            member,
            is_granted=form.cleaned_data["is_granted"],
            source=Consent.Source.STAFF,
            now=timezone.now(),
        )
        self.say(request, _("The member's word was recorded."))
        return self.back_to(object_id)

    @action(description=gettext_lazy("Member page"), icon="open_in_new", permissions=["view"])
    def open_member_page(self, request: HttpRequest, object_id: str) -> HttpResponse:
        return HttpResponseRedirect(page_url(self.member_or_refuse(request, object_id)))

    def member_or_refuse(self, request: HttpRequest, object_id: str) -> Member:
        member: Member | None = self.get_object(request, object_id)
        if member is None:
            raise PermissionDenied
        return member

    def back_to(self, object_id: str) -> HttpResponse:
        """Dialogs are posted by htmx: it follows this header, a redirect would end inside."""
        url = reverse("admin:members_member_change", args=[object_id])
        return HttpResponse(headers={"HX-Redirect": url})

    @display(description=gettext_lazy("name"))
    def shown_name(self, member: Member) -> str:
        return mask_name(member.name)


class EventAdmin(FactAdmin):
    """Registered in config/admin, which says it in words."""

    scope = OF_MEMBER
    list_display = ["occurred_at", "member", "kind", "booked_at"]
    list_select_related = ["member"]
    list_filter = [("kind", ChoicesDropdownFilter), ("occurred_at", PeriodFilter)]
    search_fields = ["member__code__exact"]
    ordering = ["-id"]
    fields = ["member", "kind", "occurred_at", "booked_at", "details"]
    export_fields = ["occurred_at", "member__code", "kind"]


@admin.register(Consent)
class ConsentAdmin(FactAdmin):
    scope = OF_MEMBER
    list_display = ["given_at", "member", "channel", "purpose", "is_granted", "source"]
    list_select_related = ["member"]
    list_filter = [("source", ChoicesDropdownFilter), "is_granted"]
    search_fields = ["member__code__exact"]
    ordering = ["-id"]
    fields = ["member", "channel", "purpose", "is_granted", "source", "given_at"]
    export_fields = ["given_at", "member__code", "channel", "purpose", "is_granted", "source"]


@admin.register(Region)
class RegionAdmin(BaseAdmin):
    scope = Scoping(store="stores", region="pk")
    list_display = ["code", "__str__", "country", "currency", "zone", "language"]
    search_fields = ["code", "name", "name_zh_hant", "name_zh_hans"]
    fields = [
        *("code", "name", "name_zh_hant", "name_zh_hans"),
        *("country", "currency", "zone", "language"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Region]:
        return super().get_queryset(request).distinct()


class OpeningHoursInline(BaseTabular):
    model = OpeningHours
    fields = ["weekday", "opens_at", "closes_at"]


class ClosureInline(BaseTabular):
    model = Closure
    fields = ["starts_on", "ends_on"]


@admin.register(Store)
class StoreAdmin(BaseAdmin):
    scope = Scoping(store="pk", region="region")
    list_display = ["code", "__str__", "region", "is_open"]
    list_filter = [("region", RelatedFilter), "is_open"]
    search_fields = ["code", "name", "name_zh_hant", "name_zh_hans"]
    fields = ["code", "name", "name_zh_hant", "name_zh_hans", "region", "is_open"]
    inlines = [OpeningHoursInline, ClosureInline]


@admin.register(Programme)
class ProgrammeAdmin(BaseAdmin):
    """The one row of settings: its list opens it."""

    scope = EVERYBODY
    list_display = ["__str__", "currency", "zone", "language"]
    fieldsets = [
        (None, {"fields": ["name", "name_zh_hant", "name_zh_hans", "language", "zone"]}),
        (gettext_lazy("Points and tiers"), {
            "fields": ["currency", "points_valid_months", "downgrade", "tier_kept_days"]
        }),
        (gettext_lazy("Coupons"), {"fields": ["returns_coupons"]}),
        (gettext_lazy("Messages"), {"fields": ["sender_address"]}),
        (gettext_lazy("Personal data"), {"fields": ["bodies_kept_months"]}),
    ]  # fmt: skip

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        return HttpResponseRedirect(
            reverse("admin:members_programme_change", args=[Programme.current().pk])
        )


@admin.register(StaffScope)
class StaffScopeAdmin(BaseAdmin):
    scope = HEADQUARTERS
    list_display = ["user", "sees_everything", "shown_regions", "shown_stores"]
    list_select_related = ["user"]
    autocomplete_fields = ["user", "regions", "stores"]
    fields = ["user", "sees_everything", "regions", "stores"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[StaffScope]:
        return super().get_queryset(request).prefetch_related("regions", "stores")

    @display(description=gettext_lazy("regions"))
    def shown_regions(self, scope: StaffScope) -> str:
        return ", ".join(str(region) for region in scope.regions.all())

    @display(description=gettext_lazy("stores"))
    def shown_stores(self, scope: StaffScope) -> str:
        return ", ".join(str(store) for store in scope.stores.all())
