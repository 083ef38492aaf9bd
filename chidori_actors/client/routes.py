"""The requests of the sessions API."""

import re
import uuid
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from .. import exact_json
from .errors import Invalid
from .exchange import Request

JsonObject = dict[str, Any]

_SESSION_ID = re.compile(r"[\w.:-]{1,128}")
# A namespace of its own: no other use of uuid5 makes the same ids.
_SESSIONS_OF_KEYS = uuid.UUID("5f0c2f0e-6c1b-4e0e-9f0a-6d9f4f6f2f5d")


def session_path(session_id: str, *rest: str) -> str:
    """The path of a session, or of something of it.

    Raises:
        Invalid: no session can have that id.
    """
    # A path with a segment of dots means another one.
    if not _SESSION_ID.fullmatch(session_id) or session_id in (".", ".."):
        raise Invalid(f"{session_id!r} is not a session id", hint="1 to 128 letters, digits, or _ . : -")
    return "/".join(("/sessions", quote(session_id, safe=""), *rest))


def get(path: str, query: Mapping[str, str | int | None] | None = None) -> Request:
    """A request that changes nothing; what is None is left out of the query."""
    given = {name: value for name, value in (query or {}).items() if value is not None}
    return Request("GET", f"{path}?{urlencode(given)}" if given else path, repeatable=True)


def post(path: str, fields: Mapping[str, Any], *, patient: bool = True) -> Request:
    """A request that changes a session; what is None is left out.

    Raises:
        Invalid: a field is not JSON.
    """
    return _post(path, {name: value for name, value in fields.items() if value is not None}, patient=patient)


def start(
    path: str,
    input: Any,
    *,
    session_id: str | None,
    idempotency_key: str | None,
    wait: bool = True,
    **fields: Any,
) -> tuple[Request, str]:
    """The request that starts a session, which can be repeated, and the session's id.

    An id is made from the key when none is given: the same key then always sends the same request, and whoever
    lost the connection knows whom to ask for.

    Raises:
        Invalid: a field is not JSON, or the id or the key is malformed.
    """
    key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
    headers = [("Idempotency-Key", header_value("the idempotency key", key))]
    if not wait:
        headers.append(("Prefer", "respond-async"))
    chosen = str(uuid.uuid5(_SESSIONS_OF_KEYS, key)) if session_id is None else session_id
    session_path(chosen)
    given = {name: value for name, value in fields.items() if value is not None}
    body = {"input": input, "session_id": chosen} | given
    return _post(path, body, headers=tuple(headers), repeatable=True, patient=wait), chosen


def branch(session_id: str, at: int, *, note: str | None, **outcome: Any) -> Request:
    """The request for a branch; ``outcome`` is ``result``, which may be None, or ``error``.

    Raises:
        Invalid: there is not exactly one of them, or it is not JSON.
    """
    if len(outcome) != 1:
        raise Invalid("a branch needs either a result or an error", hint="give result=… or error=…")
    fields = {"at": at, **outcome} | ({} if note is None else {"note": note})
    return _post(session_path(session_id, "branch"), fields, patient=True)


def header_value(what: str, value: str) -> str:
    """``value`` if it can be sent in a header; ``what`` names it, because it may be a secret.

    Raises:
        Invalid: it is empty, or has other characters than visible ASCII.
    """
    if not re.fullmatch(r"[!-~]+", value):
        raise Invalid(f"{what} is empty or has characters that a header cannot carry", hint="use visible ASCII")
    return value


def _post(
    path: str,
    fields: JsonObject,
    *,
    headers: tuple[tuple[str, str], ...] = (),
    repeatable: bool = False,
    patient: bool,
) -> Request:
    try:
        body = exact_json.dumps(fields)
    except orjson.JSONEncodeError as error:
        raise Invalid(f"POST {path}: what is to be sent is not JSON: {error}") from None
    json_type = ("Content-Type", "application/json")
    return Request("POST", path, body, (json_type, *headers), repeatable=repeatable, patient=patient)
