"""What a new merchant sets up first, shown on the first page until it is done."""

from dataclasses import dataclass
from typing import Any, Final

from django.contrib import admin
from django.core.cache import cache
from django.db.models import Exists, Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from loyalty.models import Rule, Tier
from members.models import Programme, Region, Store
from payments.models import Account

_STEPS: Final[dict[type[Model], Promise]] = {
    Region: _("Where you sell: its currency, its time and its language."),
    Store: _("Payments belong to a store, and staff see what belongs to theirs."),
    Tier: _("The lowest asks for nothing; higher ones multiply points."),
    Rule: _("What a payment earns, such as 1 point for every full 10 HKD."),
    Account: _("The platform or till whose payments come in, and its secret."),
}
_DONE: Final = "first-steps-done"


@dataclass(frozen=True, slots=True)
class Step:
    title: str
    words: Any
    url: str
    is_done: bool


def first_steps(request: HttpRequest) -> list[Step]:
    """Nothing once all are done, or for staff who may take none of them; one query until then."""
    mine = [model for model in _STEPS if _desk(model).has_add_permission(request)]
    if not mine or cache.get(_DONE):
        return []
    done = _done()
    if all(done.values()):
        cache.set(_DONE, "yes", 24 * 3600)
        return []
    return [_step(model, is_done=done[model]) for model in mine]


def _done() -> dict[type[Model], bool]:
    asked = [Exists(model._default_manager.all()) for model in _STEPS]
    (found,) = Programme.objects.values_list(*asked)[:1]
    return dict(zip(_STEPS, found, strict=True))


def _step(model: type[Model], *, is_done: bool) -> Step:
    options = model._meta
    name = f"admin:{options.app_label}_{options.model_name}"
    url = reverse(f"{name}_changelist" if is_done else f"{name}_add")
    return Step(capfirst(str(options.verbose_name)), _STEPS[model], url, is_done)


def _desk(model: type[Model]) -> admin.ModelAdmin[Any]:
    return admin.site._registry[model]
