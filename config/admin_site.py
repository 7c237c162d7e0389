"""The admin site: Unfold's, with a search that remembers nothing, and the Stuck page."""

import time
from typing import TYPE_CHECKING, Any

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path

from config.account_health import account_health_view
from config.search import search
from config.stuck import stuck_view

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite as UnfoldAdminSite
else:
    from unfold.sites import UnfoldAdminSite

MOST_RESULTS = 100


class RegularsAdminSite(UnfoldAdminSite):
    def extra_urls(self) -> list[URLPattern]:
        return [
            path("health/", self.admin_view(account_health_view), name="account-health"),
            path("stuck/", self.admin_view(stuck_view), name="stuck"),
        ]

    def search(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """As Unfold's, but nothing is kept: a narrowed scope counts at once, names go nowhere."""
        term = (request.GET.get("s") or "").strip()[:100]
        if not term:
            return HttpResponse()
        started_at = time.monotonic()
        results = self._search_apps(self.get_app_list(request), term.lower())  # type: ignore[attr-defined]
        is_palette = "extended" in request.GET
        if is_palette:
            results = [*search(request, term), *results]
        found = Paginator(results, MOST_RESULTS)
        template = "command_results" if is_palette else "search_results"
        context = {
            "page_obj": found,
            "results": found.get_page(1),
            "page_counter": 0,
            "execution_time": time.monotonic() - started_at,
            "command_show_history": False,
        }
        return TemplateResponse(
            request, f"unfold/helpers/{template}.html", context, headers={"HX-Trigger": "search"}
        )
