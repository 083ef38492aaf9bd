"""From a response to a value, or to the error that it stands for."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

from ..journal.json_text import parse_json
from .errors import ClientError, Conflict, Invalid, NotFound, ServerBusy, Unauthorized
from .exchange import Request, Response
from .retries import retry_after

T = TypeVar("T")

_OTHER_SERVER = "is this the address of `chidori serve`?"
_HINTS: dict[int, str] = {
    401: "give the server's key as api_key or in CHIDORI_API_KEY",
    403: "give the server's key as api_key or in CHIDORI_API_KEY",
    503: "try again later, or let the server run more sessions: CHIDORI_MAX_CONCURRENT_SESSIONS",
}
_ERRORS: dict[int, type[ClientError]] = {
    400: Invalid,
    401: Unauthorized,
    403: Unauthorized,
    404: NotFound,
    409: Conflict,
    413: Invalid,
    422: Invalid,
}
_EXCERPT = 200


def value(request: Request, response: Response, read: Callable[[dict[str, Any]], T]) -> T:
    """What ``read`` makes of the answer's JSON object.

    Raises:
        ClientError: the status is not one of success, or the answer is not what ``request`` asks for.
    """
    if not 200 <= response.status < 300:
        raise error(request, response)
    try:
        return read(parse_json(response.body))
    except (ValueError, KeyError, TypeError, AttributeError) as fault:
        raise unexpected(request, response) from fault


def error(request: Request, response: Response) -> ClientError:
    """The error that a response with a status of failure stands for."""
    body = _body(response.body)
    said = body.get("error") if isinstance(body, dict) else None
    phrase = _phrase(response.status)
    message = f"{request.method} {request.path}: {said if isinstance(said, str) and said else phrase}"
    status = response.status
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        return ServerBusy(message, retry_after=retry_after(response), status=status, body=body, hint=_HINTS[status])
    if 300 <= status < 400:
        target = response.headers.get("location", "another address")
        return ClientError(message, status=status, body=body, hint=f"the server redirects to {target}: use that")
    hint = _HINTS.get(status) or (None if said is not None else _OTHER_SERVER)
    return _ERRORS.get(status, ClientError)(message, status=status, body=body, hint=hint)


def unexpected(request: Request, response: Response) -> ClientError:
    """The error for a response of success that is something else than was asked for."""
    kind = response.headers.get("content-type", "no type")
    text = response.body.decode("utf-8", "replace").strip()
    excerpt = text[:_EXCERPT] + ("…" if len(text) > _EXCERPT else "")
    return ClientError(
        f"{request.method} {request.path}: the answer is not one of Chidori's ({kind}): {excerpt!r}",
        status=response.status,
        body=_body(response.body),
        hint=_OTHER_SERVER,
    )


def _body(data: bytes) -> Any:
    try:
        return parse_json(data)
    except ValueError:
        return data.decode("utf-8", "replace")


def _phrase(status: int) -> str:
    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"status {status}"
