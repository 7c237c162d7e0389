"""What members see without signing in: their page, and the page behind “unsubscribe”.

The token in the address is the only credential. No cookie is read or set, so there is nothing
that a foreign site could ride on: CSRF tokens would protect nothing, and `no-referrer` makes
browsers send `Origin: null`, which Django's check would refuse.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Final, cast
from zoneinfo import ZoneInfo

from csp.constants import NONE, SELF
from csp.decorators import csp
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import get_language, override
from django.views.decorators.cache import cache_control
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from kit.panels import panels_of
from members.models import LANGUAGES, Consent, Member, Programme
from members.selectors import newest_consent
from members.services.links import member_of_page_token, unsubscribe_of_token
from members.services.preferences import UnknownLanguage, change_language, choose_offers

# How each language is written in `lang` attributes (BCP 47), and how its button reads.
TAGS: Final = {"zh-hant": "zh-Hant", "zh-hans": "zh-Hans", "en": "en"}
_BUTTONS: Final = {"zh-hant": "繁", "zh-hans": "简", "en": "EN"}
_OFFERS: Final = {"on": True, "off": False}

_POLICY: Final = {
    "default-src": [NONE],
    "style-src": [SELF],
    "img-src": [SELF],
    "form-action": [SELF],
    "base-uri": [NONE],
    "frame-ancestors": [NONE],
}

_View = Callable[[HttpRequest, str], HttpResponse]
# django-csp types a view as one without arguments from its URL.
_loading_only_ours = cast("Callable[[_View], _View]", csp(_POLICY))


def _for_bearer(view: _View) -> _View:
    """Whoever holds the address may enter; so it must not leak, be stored or be found."""

    @csrf_exempt
    @require_http_methods(["GET", "HEAD", "POST"])
    @cache_control(private=True, no_store=True)
    @_loading_only_ours
    @wraps(view)
    def guarded(request: HttpRequest, token: str) -> HttpResponse:
        response = view(request, token)
        response["Referrer-Policy"] = "no-referrer"
        response["X-Robots-Tag"] = "noindex, nofollow"
        return response

    return guarded


@_for_bearer
def member_page(request: HttpRequest, token: str) -> HttpResponse:
    """GET shows the page; POST with `language` or `offers` changes that one thing."""
    member = member_of_page_token(token)
    if member is None:
        return _notice(request, "member/not_found.html", status=404)
    if request.method == "POST":
        return _choose(request, member)
    now = timezone.now()
    with override(member.language), timezone.override(ZoneInfo(member.region.zone)):
        context = {"member": member, "panels": panels_of(member, now=now)}
        return _page(request, "member/page.html", context)


def _choose(request: HttpRequest, member: Member) -> HttpResponse:
    try:
        if "language" in request.POST:
            change_language(member, language=request.POST["language"])
        else:
            choose_offers(
                member,
                is_granted=_OFFERS[request.POST.get("offers", "")],
                source=Consent.Source.PAGE,
                now=timezone.now(),
            )
    except (UnknownLanguage, KeyError):
        return _notice(request, "member/not_understood.html", status=400)
    return _see_again(request)


@_for_bearer
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """GET only ever shows a page: mail gateways follow links. Any POST means stop (RFC 8058),
    except the one that the page's own “subscribe again” button sends."""
    wish = unsubscribe_of_token(token)
    if wish is None:
        return _notice(request, "member/not_found.html", status=404)
    about = {"channel": wish.channel, "purpose": wish.purpose}
    if request.method == "POST":
        is_again = request.POST.get("offers") == "on"
        choose_offers(
            wish.member,
            is_granted=is_again,
            source=Consent.Source.PAGE if is_again else Consent.Source.UNSUBSCRIBE,
            now=timezone.now(),
            **about,
        )
        if "offers" in request.POST:
            return _see_again(request)
    consent = newest_consent(wish.member, **about)
    with override(wish.member.language):
        context = {"is_granted": consent is not None and consent.is_granted}
        return _page(request, "member/unsubscribe.html", context)


def _see_again(request: HttpRequest) -> HttpResponse:
    """Back to the page itself, so that reloading it repeats nothing."""
    return HttpResponseRedirect(request.path, status=303)


def _notice(request: HttpRequest, name: str, *, status: int) -> HttpResponse:
    """A short page in the language of the browser."""
    return _page(request, name, {}, status=status)


def _page(
    request: HttpRequest, name: str, context: Mapping[str, object], *, status: int = 200
) -> HttpResponse:
    language = get_language() or "en"
    shell = {
        "tag": TAGS[language],
        "programme": Programme.current(),
        "languages": [
            {"code": code, "tag": TAGS[code], "name": name, "short": _BUTTONS[code]}
            for code, name in LANGUAGES
        ],
        "language": language,
    }
    response = render(request, name, {**shell, **context}, status=status)
    response["Content-Language"] = TAGS[language]
    return response
