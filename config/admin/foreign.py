"""Admin classes of other people's apps, put on our base: staff, groups, timed jobs, sign-ins."""

from typing import Any

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold.contrib.filters.admin import RangeDateTimeFilter
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from config.admin.rights import GroupsField, RightsField, group_in_words, rights
from kit.admin import BaseAdmin, FactAdmin, also_save, display
from kit.scope import HEADQUARTERS

_FOREIGN = [
    User,
    Group,
    PeriodicTask,
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    SolarSchedule,
    AccessAttempt,
    AccessLog,
    AccessFailureLog,
]
for _model in _FOREIGN:
    if admin.site.is_registered(_model):
        admin.site.unregister(_model)


@admin.register(User)
class StaffAdmin(BaseAdmin, UserAdmin[User]):
    """Only superusers make superusers, or touch one."""

    scope = HEADQUARTERS
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    list_display = ["username", "email", "is_active", "is_staff", "last_login"]
    list_filter = ["is_active", "is_staff"]
    filter_horizontal = ["groups", "user_permissions"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[User]:
        rows = super().get_queryset(request)
        return rows if request.user.is_superuser else rows.filter(is_superuser=False)

    def is_in_scope(self, request: HttpRequest, row: Any) -> bool:
        if row is not None and not request.user.is_superuser:
            return self.known(request, getattr(row, "pk", row)) is not None
        return super().is_in_scope(request, row)

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "groups":
            kwargs["form_class"] = GroupsField
        if db_field.name == "user_permissions":
            kwargs |= {"queryset": rights(), "form_class": RightsField}
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        dates = ["last_login", "date_joined"]
        guarded = [] if request.user.is_superuser else ["is_superuser", "user_permissions"]
        return [*dates, *guarded] if obj else []


@admin.register(Group)
class StaffGroupAdmin(BaseAdmin, GroupAdmin):
    scope = HEADQUARTERS
    list_display = ["shown_name"]
    filter_horizontal = ["permissions"]

    @display(description=gettext_lazy("name"), ordering="name")
    def shown_name(self, group: Group) -> str:
        return group_in_words(group)

    def formfield_for_manytomany(
        self, db_field: Any, request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        if db_field.name == "permissions":
            kwargs |= {"queryset": rights(), "form_class": RightsField}
        return super().formfield_for_manytomany(db_field, request, **kwargs)


@admin.register(PeriodicTask)
class JobAdmin(BaseAdmin):
    """Timed jobs: `config/schedule.py` seeds them, what staff change here stays."""

    scope = HEADQUARTERS
    list_display = ["name", "enabled", "interval", "crontab", "last_run_at", "total_run_count"]
    list_select_related = ["interval", "crontab", "solar", "clocked"]
    list_filter = ["enabled"]
    search_fields = ["name", "task"]
    fields = [
        "name",
        "description",
        "enabled",
        "interval",
        "crontab",
        "task",
        "expire_seconds",
        "last_run_at",
        "total_run_count",
    ]
    readonly_fields = ["task", "last_run_at", "total_run_count"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # A job is a task of ours; new ones come with the code.

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        if not obj.enabled:
            also_save(form, "last_run_at")  # Its model clears it, so that it starts afresh.
        super().save_model(request, obj, form, change)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # The next deployment would bring it back; switch it off instead.


class ScheduleAdmin(BaseAdmin):
    scope = HEADQUARTERS


@admin.register(CrontabSchedule)
class CrontabAdmin(ScheduleAdmin):
    list_display = ["__str__", "human_readable"]
    fields = ["minute", "hour", "day_of_month", "month_of_year", "day_of_week", "timezone"]


@admin.register(IntervalSchedule)
class IntervalAdmin(ScheduleAdmin):
    list_display = ["__str__"]
    fields = ["every", "period"]


class SignInAdmin(FactAdmin):
    scope = HEADQUARTERS
    list_display = ["attempt_time", "username", "ip_address", "user_agent"]
    list_filter = [("attempt_time", RangeDateTimeFilter)]
    search_fields = ["username", "ip_address"]
    ordering = ["-attempt_time"]
    fields = ["attempt_time", "username", "ip_address", "user_agent", "path_info"]


admin.site.register(AccessLog, SignInAdmin)
admin.site.register(AccessFailureLog, SignInAdmin)


@admin.register(AccessAttempt)
class LockedOutAdmin(SignInAdmin):
    """Deleting an attempt lets its owner try again at once."""

    list_display = ["attempt_time", "username", "ip_address", "failures_since_start"]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return bool(request.user.has_perm("axes.delete_accessattempt"))
