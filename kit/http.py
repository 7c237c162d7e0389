"""What every HTTP interface shares: strict JSON in, RFC 9457 problems out."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from http import HTTPStatus
from typing import Any, Final

from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import exception_handler

from kit.untrusted import Fields, Unreadable, clean_text, json_object, plain_decimal
from kit.wording import said_in_words

logger = logging.getLogger(__name__)

PROBLEM_TYPE: Final = "application/problem+json"
LARGEST_BODY: Final = 256 * 1024
_THIS: Final = _("This")  # The value that a refusal is about: its pointer stands beside it.


class RefuseNul:
    """Middleware: an address with a zero byte asks for nothing that PostgreSQL could look up."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "%00" not in request.META.get("QUERY_STRING", ""):
            return self._get_response(request)
        if not request.path.startswith("/api/"):
            return HttpResponse("Bad address.\n", status=400, content_type="text/plain")
        problem = _problem(exceptions.ParseError(_("The address holds a zero byte.")), 400)
        return JsonResponse(problem, status=400, content_type=PROBLEM_TYPE)


class BodyTooLarge(exceptions.APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_code = "body_too_large"
    default_detail = _("The body is too large. Send it in smaller parts.")


class Unavailable(exceptions.APIException):
    """The database is away for a moment: ours to mend, the caller's to repeat."""

    status_code = HTTPStatus.SERVICE_UNAVAILABLE
    default_code = "unavailable"
    default_detail = _("Something of ours failed. Send the same request again in a moment.")


class Refused(exceptions.APIException):
    """A request that was understood and refused; nothing was changed. What `members` holds stands
    beside the problem's own members, for programs to read."""

    status_code: int = HTTPStatus.UNPROCESSABLE_ENTITY

    def __init__(
        self, detail: str, *, code: str, status: int | None = None, **members: Any
    ) -> None:
        super().__init__(detail, code)
        self.code = code
        self.members = members
        if status is not None:
            self.status_code = status


class StrictJSONParser(JSONParser):
    """JSON as one object in UTF-8; duplicate keys, NaN and Infinity are refused."""

    def parse(
        self,
        stream: Any,
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        body = stream.read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            raise BodyTooLarge
        try:
            return _sayable(json_object(body))
        except Unreadable as problem:
            raise exceptions.ParseError(said_in_words(problem.kept)) from problem


def _sayable(read: dict[str, Any]) -> dict[str, Any]:
    """`read` itself; raises Unreadable for half of a surrogate pair in it, which can neither be
    kept nor be said back in an answer: problems name fields and values as they were sent."""
    try:
        json.dumps(read, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as problem:
        raise Unreadable("The body holds half of a surrogate pair, which is no text.") from problem
    except RecursionError as problem:
        raise Unreadable("The JSON is nested too deeply.") from problem
    return read


def problem_response(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: each error as application/problem+json (RFC 9457).

    None for what nobody expected, which Django then logs and reports as our bug.
    """
    if isinstance(error, (OperationalError, InterfaceError)):
        logger.error("The database failed under a request.", exc_info=error)
        error = Unavailable()
    if isinstance(error, SuspiciousOperation):
        error = exceptions.ParseError()
    response = exception_handler(error, context)
    if response is None:
        return None
    response.data = _problem(error, response.status_code)
    response.content_type = PROBLEM_TYPE
    if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
        response["Retry-After"] = "1"
    return response


def _problem(error: Exception, status: int) -> dict[str, Any]:
    code = _code_of(error)
    problem: dict[str, Any] = {
        "type": f"urn:regulars:problem:{code.replace('_', '-')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
    }
    if isinstance(error, exceptions.ValidationError):
        problem["detail"] = str(_("Some fields are wrong. Nothing was changed."))
        problem["errors"] = [
            {"pointer": f"#{pointer}", "detail": detail}
            for pointer, detail in field_errors(error.detail)
        ]
    elif isinstance(error, exceptions.APIException):
        problem["detail"] = str(error.detail)
    if isinstance(error, Refused):
        problem |= error.members
    return problem


def _code_of(error: Exception) -> str:
    if isinstance(error, exceptions.ValidationError):
        return "invalid"
    if isinstance(error, exceptions.APIException):
        codes = error.get_codes()
        return codes if isinstance(codes, str) else str(error.default_code)
    return {Http404: "not_found", PermissionDenied: "permission_denied"}.get(type(error), "error")


def field_errors(detail: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every error of a serializer with the JSON pointer (RFC 6901) of its field."""
    if isinstance(detail, Mapping):
        for name, inner in detail.items():
            is_whole = name == "non_field_errors"
            token = str(name).replace("~", "~0").replace("/", "~1")
            yield from field_errors(inner, path if is_whole else f"{path}/{token}")
    elif isinstance(detail, (list, tuple)):
        for place, inner in enumerate(detail):
            is_leaf = isinstance(inner, str)
            yield from field_errors(inner, path if is_leaf else f"{path}/{place}")
    else:
        yield path, str(detail)


class FieldProblem(serializers.Serializer[Any]):
    pointer = serializers.CharField(help_text="JSON pointer of the field (RFC 6901).")
    detail = serializers.CharField()


class Problem(serializers.Serializer[Any]):
    """What an error looks like (RFC 9457). `code` stays, `detail` follows Accept-Language."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField(required=False)
    # The name is RFC 9457's own; of Serializer.errors only input has need.
    errors = FieldProblem(many=True, required=False)  # type: ignore[assignment]


def problems(*statuses: int) -> dict[tuple[int, str], type[Problem]]:
    """How the OpenAPI document says that these statuses are problems."""
    return {(status, PROBLEM_TYPE): Problem for status in statuses}


class StrictSerializer(serializers.Serializer[Any]):
    """A field that is not named here is refused: a misspelt one is not ignored."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = [str(name) for name in data if name not in self.fields]
            if unknown:
                raise serializers.ValidationError(
                    {name: [_("This field does not exist.")] for name in unknown}
                )
        return super().to_internal_value(data)


def query_of(request: Request, form: type[StrictSerializer]) -> dict[str, Any]:
    """The query of a request, checked by `form`; a name may stand in it once."""
    twice = [name for name, values in request.query_params.lists() if len(values) > 1]
    if twice:
        raise serializers.ValidationError({name: [_("This is given twice.")] for name in twice})
    return checked(form, request.query_params.dict())


def checked(form: type[StrictSerializer], given: Any) -> dict[str, Any]:
    """What was sent, checked by `form`; raises ValidationError naming each wrong field."""
    filled = form(data=given)
    filled.is_valid(raise_exception=True)
    read: dict[str, Any] = filled.validated_data
    return read


@extend_schema_field(OpenApiTypes.STR)
class LineOfText(serializers.Field[str, Any, str, Any]):
    """One line that the database can hold; a number is not text."""

    def __init__(self, *, longest: int = 100, **options: Any) -> None:
        super().__init__(**options)
        self.longest = longest

    def to_internal_value(self, data: Any) -> str:
        if data == "" and not self.required:
            return ""
        try:
            return clean_text(data, str(_THIS), longest=self.longest)
        except Unreadable as problem:
            raise serializers.ValidationError(said_in_words(problem.kept)) from problem

    def to_representation(self, value: str) -> str:
        return value


@extend_schema_field(OpenApiTypes.BOOL)
class YesOrNo(serializers.Field[bool, Any, bool, Any]):
    """true or false: "no" is text, and not a no."""

    def to_internal_value(self, data: Any) -> bool:
        if not isinstance(data, bool):
            raise serializers.ValidationError(_("Write true or false, without quotation marks."))
        return data

    def to_representation(self, value: bool) -> bool:  # noqa: FBT001 - DRF's signature.
        return value


@extend_schema_field({"type": "string", "pattern": r"^\d{1,18}(\.\d{1,18})?$"})
class PlainDecimal(serializers.Field[Decimal, Any, str, Any]):
    """A number in a string, digits with at most one point: JSON numbers lose cents underway."""

    def to_internal_value(self, data: Any) -> Decimal:
        if not isinstance(data, str):
            raise serializers.ValidationError(_('Write the number as a string, such as "95.00".'))
        try:
            return plain_decimal(data, str(_THIS))
        except Unreadable as problem:
            raise serializers.ValidationError(said_in_words(problem.kept)) from problem

    def to_representation(self, value: Decimal) -> str:
        return str(value)


@extend_schema_field(OpenApiTypes.DATETIME)
class Instant(serializers.Field[datetime, Any, str, Any]):
    """ISO 8601 with an offset: a time without one could be any of 26 hours."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            name = str(_THIS)
            return Fields({name: data}).instant(name)
        except Unreadable as problem:
            raise serializers.ValidationError(said_in_words(problem.kept)) from problem

    def to_representation(self, value: datetime) -> str:
        return value.isoformat()
