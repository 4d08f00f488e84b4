"""Pure: what the API server can answer instead of the thing asked for, as exception types."""

import json
import re
from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """The API server refused a request."""

    def __init__(self, code: int, reason: str, message: str) -> None:
        super().__init__(f"{code} {reason}: {message}")
        self.code = code
        self.reason = reason
        self.message = message
        self.retry_after_seconds = 0.0
        """What the server asked for; 0 when it did not."""


class UnreachableError(ApiError):
    """No answer: connection refused, reset or timed out."""

    def __init__(self, path: str, cause: object) -> None:
        super().__init__(0, "Unreachable", f"{path}: {cause!r}")


class UnauthorizedError(ApiError):
    """The credentials are not accepted (401)."""


class ForbiddenError(ApiError):
    """Not allowed by RBAC or admission, or the namespace is ending (403)."""


class NotFoundError(ApiError):
    """The object, its namespace or its kind does not exist (404)."""


class ConflictError(ApiError):
    """A precondition does not hold, or the object changed meanwhile (409)."""


class OwnedByOtherError(ConflictError):
    """An apply without force met fields of another manager (409)."""


class AlreadyExistsError(ConflictError):
    """An object of this name exists (409 at create)."""


class GoneError(ApiError):
    """The resourceVersion is too old to watch or to continue from (410)."""


class InvalidError(ApiError):
    """The object breaks its schema or a validation rule (422)."""


class UndeclaredFieldError(ApiError):
    """A server-side apply has a field that the schema of the CRD does not know (500).

    Measured on Kubernetes 1.37.2: the whole apply is refused, with one such field in the message
    at a time, whatever ``fieldValidation`` says; only other kinds of writes prune.
    """

    @property
    def path(self) -> tuple[str, ...]:
        """Names on the way to the field; empty when the message has another form."""
        found = _UNDECLARED.search(self.message)
        return tuple(found.group(1).removeprefix(".").split(".")) if found else ()


class TooManyRequestsError(ApiError):
    """The server sheds load (429)."""


class ServerError(ApiError):
    """The server failed (5xx)."""


_BY_CODE: Mapping[int, type[ApiError]] = {
    401: UnauthorizedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    422: InvalidError,
    429: TooManyRequestsError,
}


_UNDECLARED = re.compile(r"((?:\.[A-Za-z0-9_-]+)+): field not declared in schema")


def error_from_status(code: int, status: Mapping[str, Any]) -> ApiError:
    """The exception for a ``Status`` object; ``code`` is used when the object has none."""
    code = int(status.get("code") or code)
    reason = str(status.get("reason") or "Unknown")
    message = str(status.get("message") or "the server gave no message")
    causes = (status.get("details") or {}).get("causes") or ()
    if any(cause.get("reason") == "FieldManagerConflict" for cause in causes):
        return OwnedByOtherError(code, reason, message)
    if reason == "AlreadyExists":
        return AlreadyExistsError(code, reason, message)
    if reason == "Expired":
        return GoneError(code, reason, message)
    if _UNDECLARED.search(message):
        return UndeclaredFieldError(code, reason, message)
    fallback = ServerError if code >= 500 else ApiError  # noqa: PLR2004 - HTTP's own classes
    return _BY_CODE.get(code, fallback)(code, reason, message)


def error_from_response(code: int, body: bytes) -> ApiError:
    """The exception for an HTTP answer, whose body need not be JSON."""
    try:
        status = json.loads(body)
    except ValueError:
        status = None
    if not isinstance(status, dict):
        status = {"message": body[:500].decode(errors="replace") or "empty answer"}
    return error_from_status(code, {**status, "code": code})
