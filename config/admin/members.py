"""The member in the admin: who they are, where they stand, what they hold, what happened."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.contrib.filters.admin import DropdownFilter
from unfold.forms import BaseDialogForm
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminTextInputWidget

from config.admin.member_tabs import tabs_of
from config.admin.merging import MergePages
from kit.admin import RelatedFilter, action, display
from kit.spreadsheet_import import SheetResult
from loyalty.services.points import CannotAdjust, adjust_points
from members.admin.forms import IdentityDialog
from members.admin.members import MemberAdmin
from members.identity_kinds import EMAIL, PHONE
from members.imports.pages import MemberImports
from members.models import Member
from members.selectors import last_consent
from members.services.identities import IdentityTaken
from members.services.links import revoke_page
from payments.services.enrolling import Newcomer, enrol_customer
from payments.services.linking import link_identity, match_all_waiting

ADJUST = "loyalty.adjust_points"
MOST_ADJUSTED = 1_000_000


class AdjustDialog(BaseDialogForm):  # type: ignore[misc]
    points = forms.IntegerField(
        label=gettext_lazy("Points"),
        min_value=-MOST_ADJUSTED,
        max_value=MOST_ADJUSTED,
        help_text=gettext_lazy("Negative takes points away."),
        widget=UnfoldAdminIntegerFieldWidget(),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("The member reads it on their page."),
        widget=UnfoldAdminTextInputWidget(),
    )

    def clean_points(self) -> int:
        points: int = self.cleaned_data["points"]
        if points == 0:
            raise forms.ValidationError(_("Zero points change nothing."))
        return points


class ConsentFilter(DropdownFilter):  # type: ignore[misc]
    """By the member's last word on offers by e-mail."""

    title = gettext_lazy("wants offers by e-mail")
    parameter_name = "consent"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("yes", _("yes")), ("no", _("no")), ("none", _("not asked"))]

    def queryset(self, request: HttpRequest, queryset: Any) -> Any:
        wanted = {"yes": True, "no": False, "none": None}
        if self.value() not in wanted:
            return queryset
        return queryset.filter(last_consent(wanted[self.value()]))


@admin.register(Member)
class MemberDesk(MergePages, MemberImports, MemberAdmin):
    list_display = [
        "code", "shown_name", "shown_tier", "shown_points", "region", "home_store", "language",
        "joined_at",
    ]  # fmt: skip
    list_select_related = ["region", "home_store", "standing__tier", "merged_into"]
    list_filter = [("standing__tier", RelatedFilter), ConsentFilter, *MemberAdmin.list_filter]
    change_form_outer_before_template = "admin/members/head.html"
    change_form_outer_after_template = "admin/members/tabs.html"
    actions_detail: Any = [
        "undo_merge",
        "adjust",
        "identify",
        "record_consent",
        "open_member_page",
        {"title": gettext_lazy("More"), "items": ["merge_with", "renew_link"]},
    ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        member = self.known(request, object_id)
        extra = dict(extra_context or {})
        if member is not None and self.has_view_permission(request, member):
            extra["desk"] = tabs_of(member, request, now=timezone.now())
        return super().change_view(request, object_id, form_url, extra)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> Any:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except IdentityTaken:  # In this moment; nothing was kept. Now the form itself finds it.
            return super().changeform_view(request, object_id, form_url, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if change:
            super().save_model(request, obj, form, change)
            return
        asked = form.cleaned_data
        newcomer = Newcomer(
            region=asked["region"],
            language=asked["language"],
            name=asked["name"],
            home_store=asked["home_store"],
            born_on=asked["born_on"],
            signs=tuple((kind, asked[kind]) for kind in (PHONE, EMAIL) if asked[kind]),
        )
        member = enrol_customer(newcomer, now=timezone.now())
        obj.pk, obj.code, obj._state.adding = member.pk, member.code, False

    @display(description=gettext_lazy("tier"), ordering="standing__tier__rank")
    def shown_tier(self, member: Member) -> str:
        standing = getattr(member, "standing", None)
        return str(standing.tier) if standing and standing.tier else "–"

    @display(description=gettext_lazy("points"), ordering="standing__balance")
    def shown_points(self, member: Member) -> str:
        if member.merged_into is not None:
            return f"→ {member.merged_into.code}"
        standing = getattr(member, "standing", None)
        return number_format(standing.balance, force_grouping=True) if standing else "0"

    def after_import(self, result: SheetResult) -> None:
        """Payments that waited for these members are theirs now."""
        match_all_waiting()

    def has_adjust_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Of one who was merged, the points are adjusted where they are held."""
        if obj is not None and self.has_unmerge_permission(request, obj):
            return False
        return bool(request.user.has_perm(ADJUST)) and self.is_in_scope(request, obj)

    @action(
        description=gettext_lazy("Adjust points"),
        icon="exposure",
        permissions=["adjust"],
        dialog={
            "title": gettext_lazy("Adjust points"),
            "description": gettext_lazy("Books a transfer that stays in the ledger."),
            "form_class": AdjustDialog,
            "form_submit_text": gettext_lazy("Adjust"),
        },
    )
    def adjust(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        member = self.member_or_refuse(request, object_id)
        given = form.cleaned_data
        try:
            adjust_points(
                member,
                points=given["points"],
                reason=given["reason"],
                actor=cast("User", request.user),
                now=timezone.now(),
            )
        except CannotAdjust as refusal:
            self.say(request, str(refusal), level=messages.ERROR)
            return self.back_to(object_id)
        words = ngettext(
            "%(points)+d point booked.", "%(points)+d points booked.", given["points"]
        )
        self.say(request, words % {"points": given["points"]})
        return self.back_to(object_id)

    @action(
        description=gettext_lazy("Add identity"),
        icon="fingerprint",
        permissions=["change"],
        dialog={
            "title": gettext_lazy("Add identity"),
            "description": gettext_lazy(
                "Payments that carry this sign of the member are recognised from now on."
            ),
            "form_class": IdentityDialog,
            "form_submit_text": gettext_lazy("Add identity"),
        },
    )
    def identify(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        member = self.member_or_refuse(request, object_id)
        given = form.cleaned_data
        try:
            linked = link_identity(
                member, kind=given["kind"], value=given["value"], now=timezone.now()
            )
        except IdentityTaken:  # In this moment: now the dialog itself finds it.
            again = cast("Callable[..., HttpResponse]", self.identify)
            return again(request, object_id=object_id)
        words = ngettext(
            "The identity was added; %(count)d waiting transaction is the member's now.",
            "The identity was added; %(count)d waiting transactions are the member's now.",
            linked,
        )
        self.say(request, words % {"count": linked})
        return self.back_to(object_id)

    @action(
        description=gettext_lazy("Renew the link"),
        icon="link_off",
        permissions=["change"],
        dialog={
            "title": gettext_lazy("Renew the member page's link?"),
            "description": gettext_lazy(
                "Every link to this member's page that was given out so far stops working, in"
                " messages too. The next message carries the new one."
            ),
            "form_submit_text": gettext_lazy("Renew the link"),
        },
    )
    def renew_link(self, request: HttpRequest, form: Any, object_id: str) -> HttpResponse:
        member = self.member_or_refuse(request, object_id)
        revoke_page(member)
        self.log_change(request, member, _("The link to the member page was renewed."))
        self.say(request, _("The old links to the member page no longer work."))
        return self.back_to(object_id)
