"""What every view of the API has: a key, a scope, a rate, and mutations that repeat safely."""

import hashlib
import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, ClassVar, Final

from django.db import transaction
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from kit.http import (
    LARGEST_BODY,
    PROBLEM_TYPE,
    BodyTooLarge,
    LineOfText,
    Refused,
    StrictJSONParser,
    StrictSerializer,
    problem_response,
    problems,
)
from kit.work import hold_keys
from members.identity_kinds import all_kinds
from members.keys import ApiKeyAuthentication, HasScope, KeyRate
from members.models import ApiCall, ApiKey, Store
from members.throttling import WINDOW, Allowance

IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "pattern": "^[!-~]{1,120}$", "example": "T1-000200-sale"},
    OpenApiParameter.HEADER,
    required=True,
    description=(
        "New for each action, the same for its repetitions: 1 to 120 printable characters. A "
        "repetition gets the first answer again, with `Idempotency-Replayed: true`."
    ),
)
LOOK_UP_PROBLEMS: Final = problems(400, 401, 403, 404, 429, 503)
CHANGE_PROBLEMS: Final = problems(400, 401, 403, 404, 409, 413, 415, 422, 429, 503)
REPLAYED: Final = "Idempotency-Replayed"
JSON_TYPE: Final = "application/json"
_KEY: Final = re.compile(r"[\x21-\x7e]{1,120}")

Answer = Callable[..., Response]
RepeatableAnswer = Callable[..., HttpResponseBase]


class IdentityIn(StrictSerializer):
    kind = LineOfText(
        longest=30, help_text="`phone`, `email`, `wallet`, `customer`, or a platform's own kind."
    )
    value = LineOfText(longest=254)

    def validate_kind(self, kind: str) -> str:
        if kind not in all_kinds():
            raise serializers.ValidationError(
                _("This kind does not exist. Use one of: %(kinds)s.")
                % {"kinds": ", ".join(sorted(all_kinds()))}
            )
        return kind


class ApiView(APIView):
    """A view of /api/v1/. `required_scope` is one of ApiKey.Scope; so is `write_scope`, which a
    view that both reads and writes asks for in its place where something is written."""

    required_scope: ClassVar[str] = ""
    write_scope: ClassVar[str] = ""
    authentication_classes = [ApiKeyAuthentication]
    permission_classes = [HasScope]
    throttle_classes = [KeyRate]
    parser_classes = [StrictJSONParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > LARGEST_BODY:
            raise BodyTooLarge

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Response:
        """How much of the minute is left, as in draft-ietf-httpapi-ratelimit-headers."""
        final = super().finalize_response(request, response, *args, **kwargs)
        allowance: Allowance | None = getattr(request, "allowance", None)
        if allowance is not None:
            final["RateLimit-Policy"] = f'"key";q={allowance.limit};w={WINDOW}'
            final["RateLimit"] = f'"key";r={allowance.left};t={allowance.resets_in}'
        return final


def key_of(request: Request) -> ApiKey:
    """The key of an authenticated request."""
    assert isinstance(request.auth, ApiKey)  # HasScope let nobody else in.
    return request.auth


def store_for(request: Request, code: str) -> Store | None:
    """The store that a request is about: the one it names, else its key's own.

    Raises Refused if the key belongs to another store, ValidationError if there is no such store.
    """
    own = key_of(request).store
    if own is not None and code not in ("", own.code):
        raise Refused(
            _("This API key belongs to the store %(store)s and may act for no other.")
            % {"store": own.code},
            code="store_not_allowed",
            status=HTTPStatus.FORBIDDEN,
        )
    if own is not None or not code:
        return own
    store = Store.objects.filter(code=code).first()
    if store is None:
        raise ValidationError({"store": [_("There is no store with this code.")]})
    return store


def answer_once(answer: Answer) -> RepeatableAnswer:
    """A mutation with an Idempotency-Key: its first answer is kept, with its effect, and repeated.

    Kept are successes and refusals (`Refused`), whose effect was rolled back: a late copy of a
    refused request must not suddenly succeed. A malformed request has no answer worth keeping;
    its repetition with a better body may use the same key.
    """

    @wraps(answer)
    def answer_or_repeat(
        view: APIView, request: Request, *args: Any, **kwargs: Any
    ) -> HttpResponseBase:
        given = request.headers.get("Idempotency-Key", "")
        if not _KEY.fullmatch(given):
            raise ParseError(
                _("Send an Idempotency-Key header, new for each action: 1 to 120 characters."),
                "idempotency_key_missing",
            )
        call = {"api_key": key_of(request), "idempotency_key": given}
        body_hash = hash_of_call(request)
        with transaction.atomic():
            hold_keys([f"api:{key_of(request).pk}:{given}"])
            earlier = ApiCall.objects.filter(**call).first()
            if earlier is not None:
                return _repeat(earlier, body_hash)
            response = _first_answer(answer, view, request, *args, **kwargs)
            ApiCall.objects.create(
                **call,
                body_hash=body_hash,
                status=response.status_code,
                answer=JSONRenderer().render(response.data).decode(),
                called_at=timezone.now(),
            )
        return response

    return answer_or_repeat


def hash_of_call(request: Request) -> str:
    """What was asked: method, path and the bytes of the body."""
    head = f"{request.method} {request.path}\0".encode()
    return hashlib.sha256(head + request.body).hexdigest()


def _first_answer(
    answer: Answer, view: APIView, request: Request, *args: Any, **kwargs: Any
) -> Response:
    try:
        with transaction.atomic():
            return answer(view, request, *args, **kwargs)
    except Refused as refusal:
        response = problem_response(refusal, view.get_exception_handler_context())
        assert response is not None  # It is an APIException.
        response.exception = True
        return response


def _repeat(earlier: ApiCall, body_hash: str) -> HttpResponse:
    if earlier.body_hash != body_hash:
        raise Refused(
            _("This Idempotency-Key belongs to another request. Use a new one."),
            code="idempotency_key_reused",
            status=HTTPStatus.CONFLICT,
        )
    if earlier.status == HTTPStatus.NO_CONTENT:
        return HttpResponse(status=earlier.status, headers={REPLAYED: "true"})
    is_problem = earlier.status >= HTTPStatus.BAD_REQUEST
    return HttpResponse(
        earlier.answer,  # The text as it was sent: jsonb would put an object's keys in its order.
        status=earlier.status,
        headers={REPLAYED: "true"},
        content_type=PROBLEM_TYPE if is_problem else JSON_TYPE,
    )
