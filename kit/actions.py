"""Actions of the admin's lists, rows and pages: Unfold's, for our own links only, and with a
sentence for whoever comes second."""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from unfold.decorators import action as unfold_action
from unfold.enums import ActionVariant

from kit.scope import of_known_row
from kit.visitors import by_own_links, is_lured

Method = TypeVar("Method", bound=Callable[..., Any])


def action(**options: Any) -> Callable[[Method], Method]:
    """An action of a list, row or page: Unfold's decorator with types, for our own links only."""
    options.setdefault("variant", ActionVariant.DEFAULT)

    def decorate(method: Method) -> Method:
        act = unfold_action(**options)(by_own_links(of_known_row(method)))
        return cast("Method", _telling_who_is_late(act))

    return decorate


def _telling_who_is_late(act: Callable[..., Any]) -> Callable[..., Any]:
    """What is refused because somebody was faster is no matter of rights: the page of the row
    says what happened. A dialog shows no refusal at all, so it leads to that page as well."""

    @wraps(act)
    def guarded(desk: Any, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        try:
            return act(desk, request, *args, **kwargs)
        except PermissionDenied:
            key = kwargs.get("object_id")
            row = None if key is None or is_lured(request) else desk.get_object(request, str(key))
            words = "" if row is None else desk.why_late(request, row, act.__name__)
            if not words:
                raise
        desk.say(request, words, level=messages.WARNING)
        return _to_page_of(request, row)

    return guarded


def _to_page_of(request: HttpRequest, row: Any) -> HttpResponse:
    options = row._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    if "HX-Request" in request.headers:  # htmx follows this header; a redirect would end inside.
        return HttpResponse(headers={"HX-Redirect": url})
    return redirect(url)
