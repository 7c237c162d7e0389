"""What the OpenAPI document says of every operation alike: its scope, and errors by example."""

from http import HTTPStatus
from typing import Any, Final

from drf_spectacular.openapi import AutoSchema

from kit.http import PROBLEM_TYPE
from members.keys import scope_of_call

_EXAMPLES: Final[dict[int, tuple[str, str]]] = {
    400: ("invalid", "Some fields are wrong. Nothing was changed."),
    401: ("authentication_failed", "This API key does not exist or was switched off."),
    403: (
        "permission_denied",
        "This API key may not do that. Ask for a key with the scope that is needed.",
    ),
    404: ("not_found", "There is nothing with this number."),
    409: (
        "idempotency_key_reused",
        "This Idempotency-Key belongs to another request. Use a new one.",
    ),
    413: ("body_too_large", "The body is too large. Send it in smaller parts."),
    415: ("unsupported_media_type", "Unsupported media type “text/plain” in request."),
    422: ("member_unknown", "No member has this number."),
    429: ("throttled", "Request was throttled. Expected available in 21 seconds."),
    503: ("unavailable", "Something of ours failed. Send the same request again in a moment."),
}


class ApiSchema(AutoSchema):
    """Each operation says which scope its key needs."""

    # The stubs of DRF's own schemas have arguments, which drf-spectacular does not give.
    def get_description(self) -> str:  # type: ignore[override]
        """Nothing by default: docstrings of views are for whoever reads the code."""
        return ""

    def get_operation(self, *args: Any, **kwargs: Any) -> Any:
        operation = super().get_operation(*args, **kwargs)
        scope = scope_of_call(self.view, self.method)
        if operation and scope:
            said = operation.get("description", "")
            needed = f"Scope of the key: `{scope}`."
            operation["description"] = "\n\n".join(filter(None, (said, needed)))
        return operation


def show_problems(result: dict[str, Any], **_options: Any) -> dict[str, Any]:
    """Give each problem that has no example of its own the usual one of its status."""
    for path in result["paths"].values():
        for operation in path.values():
            for status, response in operation["responses"].items():
                content = response.get("content", {}).get(PROBLEM_TYPE)
                if content is not None and "examples" not in content:
                    content["examples"] = _example(int(status))
                if int(status) == HTTPStatus.TOO_MANY_REQUESTS:
                    response["headers"] = _RETRY_AFTER
    return result


_RETRY_AFTER: Final = {
    "Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}
}


def _example(status: int) -> dict[str, Any]:
    code, detail = _EXAMPLES[status]
    value: dict[str, Any] = {
        "type": f"urn:regulars:problem:{code.replace('_', '-')}",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "code": code,
        "detail": detail,
    }
    if status == HTTPStatus.BAD_REQUEST:
        value["errors"] = [{"pointer": "#/amount", "detail": "This is needed."}]
    return {code: {"summary": code, "value": value}}
