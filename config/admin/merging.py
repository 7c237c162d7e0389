"""The pages on which staff merge two members and undo it: choose, look at what comes, confirm."""

from collections.abc import Sequence
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.text import capfirst
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext_lazy, pgettext
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget

from config import people
from config.people import CannotMerge, Preview, Side
from kit.admin import action, may_see_personal_data
from kit.masking import mask_name
from kit.money import Money
from members.models import Member, Programme
from payments.admin.transactions import MemberChoice

MERGE = "members.merge_member"


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        max_length=200,
        help_text=gettext_lazy("Whoever looks at it later reads it."),
        widget=UnfoldAdminTextInputWidget(),
    )


class MergePages:
    """For the members' admin class: two buttons on a member's page, and the pages behind them."""

    admin_site: Any
    media: Any

    def has_merge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj, is_merged=False)

    def has_unmerge_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may(request, obj, is_merged=True)

    def why_late(self, request: HttpRequest, row: Member, name: str) -> str:
        """Of a member who was merged or parted meanwhile; points are adjusted where they lie."""
        if row.merged_into is None:
            is_late = name == "undo_merge" and self.has_merge_permission(request)
            return _("The merge was undone meanwhile: nothing was changed.") if is_late else ""
        may = {
            "merge_with": self.has_merge_permission,
            "adjust": self.has_adjust_permission,  # type: ignore[attr-defined]
        }
        if name not in may or not may[name](request):
            return ""
        return _(
            "%(member)s was merged into %(survivor)s meanwhile: nothing was changed. Go on with"
            " that member."
        ) % {"member": row.code, "survivor": row.merged_into.code}

    @action(
        description=gettext_lazy("Merge with another member"), icon="merge", permissions=["merge"]
    )
    def merge_with(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self._member(request, object_id)
        rows = self.get_queryset(request).exclude(pk=member.pk)  # type: ignore[attr-defined]
        asked = request.POST or request.GET
        choice = MemberChoice(asked if "member" in asked else None, members=rows)
        if not choice.is_valid():
            return self._ask_whom(request, member, choice)
        other = choice.cleaned_data["member"]
        merged, survivor = (member, other) if asked.get("stays") == "other" else (other, member)
        form = ReasonForm(request.POST or None)
        try:
            if form.is_valid():
                people.merge(
                    merged,
                    survivor,
                    reason=form.cleaned_data["reason"],
                    actor=cast("User", request.user),
                    now=timezone.now(),
                )
                return self._done(request, survivor, _merged_in_words(merged, survivor))
            preview = people.preview_merge(merged, survivor, now=timezone.now())
        except CannotMerge as refusal:
            return self._refuse_merge(request, member, refusal)
        stays = "other" if survivor == other else "this"
        return self._show(
            request,
            preview,
            form,
            title=_("Merge %(merged)s into %(survivor)s?")
            % {"merged": merged.code, "survivor": survivor.code},
            asked={"member": other.pk, "stays": stays},
            swap=f"?member={other.pk}&stays={'this' if stays == 'other' else 'other'}",
            submit_words=_("Merge"),
            back=member,
        )

    @action(description=gettext_lazy("Undo the merge"), icon="call_split", permissions=["unmerge"])
    def undo_merge(self, request: HttpRequest, object_id: str) -> HttpResponse:
        member = self._member(request, object_id)
        if member.merged_into is None:  # Since a moment ago: else this would be refused.
            words = _("The merge was undone meanwhile: nothing was changed.")
            return self._refuse_merge(request, member, CannotMerge(words))
        self._member(request, str(member.merged_into.pk))  # It is parted as well.
        form = ReasonForm(request.POST or None)
        now = timezone.now()
        try:
            if form.is_valid():
                reason, actor = form.cleaned_data["reason"], cast("User", request.user)
                people.unmerge(member, reason=reason, actor=actor, now=now)
                words = _("%(member)s is a member of their own again.") % {"member": member.code}
                return self._done(request, member, words)
            preview = people.preview_unmerge(member, now=now)
        except CannotMerge as refusal:
            return self._refuse_merge(request, member, refusal)
        return self._show(
            request,
            preview,
            form,
            title=_("Part %(member)s from %(survivor)s?")
            % {"member": member.code, "survivor": member.merged_into.code},
            asked={},
            swap="",
            submit_words=_("Undo the merge"),
            back=member,
        )

    def _may(self, request: HttpRequest, obj: Any, *, is_merged: bool) -> bool:
        if not request.user.has_perm(MERGE):
            return False
        if obj is None:
            return True
        row = self.known(request, getattr(obj, "pk", obj))  # type: ignore[attr-defined]
        return row is not None and (row.merged_into_id is not None) == is_merged

    def _member(self, request: HttpRequest, object_id: str) -> Member:
        """Within the scope of who asks; raises PermissionDenied."""
        member: Member | None = self.get_object(request, object_id)  # type: ignore[attr-defined]
        if member is None:
            raise PermissionDenied
        return member

    def _ask_whom(self, request: HttpRequest, member: Member, form: forms.Form) -> HttpResponse:
        context = {
            **self.admin_site.each_context(request),
            "title": _("Who is the same person as %(member)s?") % {"member": member.code},
            "explanation": _(
                "Search by member number, whole phone number or e-mail address. Next you see what"
                " a merge would do; nothing happens before you confirm it."
            ),
            "form": form,
            "media": self.media + form.media,
            "back": member,
        }
        return TemplateResponse(request, "admin/members/merge_whom.html", context)

    def _show(
        self, request: HttpRequest, preview: Preview, form: forms.Form, **context: Any
    ) -> HttpResponse:
        is_open = may_see_personal_data(request)
        context |= {
            **self.admin_site.each_context(request),
            "form": form,
            "media": self.media + form.media,
            "is_parting": len(preview.after) > 1,
            "table": _table(preview, is_open=is_open),
            "suggestion": _suggestion(preview),
        }
        return TemplateResponse(request, "admin/members/merge.html", context)

    def _done(self, request: HttpRequest, member: Member, words: str) -> HttpResponse:
        self.log_change(request, member, words)  # type: ignore[attr-defined]
        self.say(request, words)  # type: ignore[attr-defined]
        return redirect("admin:members_member_change", member.pk)

    def _refuse_merge(
        self, request: HttpRequest, member: Member, refusal: CannotMerge
    ) -> HttpResponse:
        self.say(request, str(refusal), level=messages.ERROR)  # type: ignore[attr-defined]
        return redirect("admin:members_member_change", member.pk)


def _suggestion(preview: Preview) -> str:
    if not preview.lacking:
        return ""
    merged, survivor = (side.member.code for side in preview.before)
    return _(
        "%(survivor)s lacks what %(merged)s has: %(fields)s. A merge copies none of it; enter it"
        " afterwards if it is right."
    ) % {"survivor": survivor, "merged": merged, "fields": _(", ").join(preview.lacking)}


def _merged_in_words(merged: Member, survivor: Member) -> str:
    return _("%(merged)s is merged into %(survivor)s.") % {
        "merged": merged.code,
        "survivor": survivor.code,
    }


def _table(preview: Preview, *, is_open: bool) -> dict[str, Any]:
    """Both as they are and as they would be, side by side."""
    headers = [
        "",
        *(side.member.code for side in preview.before),
        *(_("%(member)s afterwards") % {"member": side.member.code} for side in preview.after),
    ]
    columns = [_cells(side, is_open=is_open) for side in (*preview.before, *preview.after)]
    return {"headers": headers, "rows": list(zip(_labels(), *columns, strict=True))}


def _labels() -> Sequence[str]:
    return [
        capfirst(pgettext("of a person", "name")),
        _("Region"),
        _("Home store"),
        _("Joined"),
        _("Points"),
        _("Lapse next"),
        _("Tier"),
        _("12-month spend"),
        _("Payments"),
        _("Last payment"),
        _("Coupons"),
        _("Wants offers by e-mail"),
        _("Identities"),
        _("Stands also for"),
    ]


def _cells(side: Side, *, is_open: bool) -> Sequence[str]:
    member, standing = side.member, side.standing
    spend = Money(standing.spend_12m, Programme.current().currency)
    words = {True: _("yes"), False: _("no"), None: _("not asked")}
    return [
        (member.name if is_open else mask_name(member.name)) or "–",
        str(member.region),
        str(member.home_store or "–"),
        _day(member.joined_at),
        number_format(standing.balance, force_grouping=True),
        _lapse(side),
        str(standing.tier or "–"),
        spend.display(get_language() or "en"),
        number_format(standing.payments),
        _day(standing.last_paid_at),
        number_format(side.coupons),
        words[side.wants_offers],
        _(", ").join(f"{label} × {number}" for label, number in side.signs) or "–",
        ", ".join(side.absorbed) or "–",
    ]


def _lapse(side: Side) -> str:
    if side.lapse is None:
        return "–"
    points = number_format(side.lapse.points, force_grouping=True)
    return f"{points} · {_day(side.lapse.at)}"


def _day(instant: Any) -> str:
    return date_format(localtime(instant), "SHORT_DATE_FORMAT") if instant else "–"
