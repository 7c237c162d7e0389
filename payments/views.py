"""The callback URL: the one door through which platforms come in."""

import logging

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.utils import timezone
from rest_framework.exceptions import MethodNotAllowed
from rest_framework.request import Request
from rest_framework.views import APIView

from kit.said import said
from payments.providers import all_providers
from payments.providers.base import Inbound, Outcome, Reason, Rejected, Reply
from payments.services.accounts import KnownAccount, known_account
from payments.services.receive import LARGEST_BODY, receive, refuse
from payments.services.relay import receive_and_relay

logger = logging.getLogger(__name__)


class CallbackView(APIView):
    """POST /callbacks/<provider>/<account token>/. The signature is the only credential.

    Platforms that only hint may come by GET; for all others that stays refused.
    """

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()  # Bytes are verified as they came, never re-serialised.
    schema = None

    def get(self, request: Request, provider: str, token: str) -> HttpResponse:
        return self._answer(request, provider, token)

    def post(self, request: Request, provider: str, token: str) -> HttpResponse:
        return self._answer(request, provider, token)

    def _answer(self, request: Request, provider: str, token: str) -> HttpResponse:
        known = all_providers().get(provider)
        if request.method not in (known.methods if known else ("POST",)):
            raise MethodNotAllowed(str(request.method))
        now = timezone.now()
        try:
            account = known_account(provider, token)
            if account is None:
                return HttpResponse("Unknown account.\n", status=404, content_type="text/plain")
            inbound = _inbound(request._request)
            if inbound is None:
                refuse(account.id, _without_body(request._request), _TOO_LARGE, now=now)
                return HttpResponse("Too large.\n", status=413, content_type="text/plain")
            if account.relay_id is not None:
                return _as_http(receive_and_relay(account, inbound, now=now))
            return _reply(account, receive(account, inbound, now=now))
        except (OperationalError, InterfaceError):
            logger.exception(
                "A callback of %s could not be stored; the platform will resend.", provider
            )
            return HttpResponse("Try again later.\n", status=503, content_type="text/plain")
        except UnreadablePostError:
            return HttpResponse("The body broke off.\n", status=400, content_type="text/plain")


_TOO_LARGE = Rejected(
    Reason.TOO_LARGE, said("It has more than %(most)s bytes.", most=LARGEST_BODY)
)


def _inbound(request: HttpRequest) -> Inbound | None:
    """The request as the providers see it; None where the body is too large to be read."""
    length = request.META.get("CONTENT_LENGTH") or ""
    if not length and request.META.get("wsgi.input_terminated"):
        # Sent in chunks: Django would read nothing, for nothing announced how much there is.
        body = request.META["wsgi.input"].read(LARGEST_BODY + 1)
        return _without_body(request, body=body) if len(body) <= LARGEST_BODY else None
    if length and not (length.isdecimal() and len(length) < 10 and int(length) <= LARGEST_BODY):
        return None
    return _without_body(request, body=request.body)


def _without_body(request: HttpRequest, *, body: bytes = b"") -> Inbound:
    headers = {name.lower(): value for name, value in request.headers.items()}
    return Inbound(
        method=request.method or "", url=request.get_full_path(), headers=headers, body=body
    )


def _reply(account: KnownAccount, outcome: Outcome) -> HttpResponse:
    return _as_http(account.provider.reply(outcome, account.keys))


def _as_http(reply: Reply) -> HttpResponse:
    return HttpResponse(reply.body, status=reply.status, content_type=reply.content_type)
