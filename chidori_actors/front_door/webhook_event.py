"""From a request to the event that an agent gets, and from its output to the answer (wire contract, section 3)."""

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import orjson

from .. import exact_json
from ..host.foreign_json import recordable_json
from ..host.unicode import without_lone_surrogates
from ..journal.json_text import parse_json
from .refusal import Refused

_FORM = "application/x-www-form-urlencoded"
_MOST_FIELDS = 10_000
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f]*")
_OUR_HEADERS = frozenset(
    ("content-length", "connection", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade")
)
"""They frame the message: the server sets them, and what an agent says of them is left out."""
_WITHOUT_BODY = (204, 205, 304)


# -- the request ----------------------------------------------------------------------------------------------------


def header_fields(raw: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    """A request's headers by lower-case names; of a repeated one the last counts."""
    return {name.decode("utf-8", "replace").lower(): value.decode("utf-8", "replace") for name, value in raw}


def make_event(
    method: str, path: str, query: str, headers: Mapping[str, str], body: bytes, sent: bytes | None = None
) -> dict[str, Any]:
    """The event of a request.

    Args:
        path: Decoded, without the query.
        query: As it was sent, without the ``?``.
        headers: By lower-case names.
        sent: The body as it was sent, if it came packed: its sender's signature is of that.

    Raises:
        Refused: 422, the query or a form has too many fields.
    """
    return {
        "method": method,
        "path": without_lone_surrogates(path),
        "headers": dict(headers),
        "query": _form(without_lone_surrogates(query)),
        "body": _body(headers.get("content-type", ""), body),
        "raw": base64.b64encode(body if sent is None else sent).decode(),
    }


def agent_input(event: Mapping[str, Any]) -> bytes:
    """The input of the agent that is given ``event``, as JSON text.

    Raises:
        Refused: 422, the body is JSON that is nested too deeply.
    """
    try:
        return exact_json.dumps({"event": event})
    except orjson.JSONEncodeError as error:
        raise Refused(422, f"the body cannot be taken: {error}") from error


def delivery_key(path: str, headers: Mapping[str, str], body: Any) -> str | None:
    """What names the delivery, the same when it is sent again; None for a request that has no such name.

    Args:
        headers: By lower-case names.
        body: The event's ``body``.
    """
    for name in ("x-github-delivery", "idempotency-key"):
        if headers.get(name):
            return _key(path, name, headers[name])
    if "x-slack-signature" in headers and isinstance(body, dict):
        # Slack says of a repetition that it is one, but not of what: the first request has the same ids.
        for name in ("event_id", "trigger_id"):
            if isinstance(body.get(name), str) and body[name]:
                return _key(path, name, body[name])
    return None


def _key(*parts: str) -> str:
    """Line breaks keep it apart from every ``Idempotency-Key`` that a client of the sessions API can send."""
    return "\n".join(("delivery", *parts))


def _body(content_type: str, body: bytes) -> Any:
    if not body:
        return ""
    text = body.decode("utf-8", "replace")
    if _media_type(content_type) == _FORM:
        return _form(text)
    try:
        return exact_json.loads(body)
    except orjson.JSONDecodeError:
        pass
    try:
        # What orjson refuses and JavaScript reads: half an emoji written as an escape, an integer of any length.
        return parse_json(recordable_json(body.decode()))
    except ValueError:
        return text


def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _form(text: str) -> dict[str, str]:
    """The fields of a form or a query; of a repeated one the last counts."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, errors="replace", max_num_fields=_MOST_FIELDS))
    except ValueError as error:
        raise Refused(422, f"there are more than {_MOST_FIELDS} fields") from error


# -- the answer -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EventAnswer:
    """What the sender of an event is answered; ``body`` is JSON text, the text of another type that the agent named,
    or empty where the status allows none."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


class BadAnswer(Exception):
    """An agent's output that asks for an answer which cannot be sent."""


def answer_of(output: bytes) -> EventAnswer:
    """The answer that an agent's output (JSON text) asks for.

    Raises:
        BadAnswer: its status or a header is none, or Python cannot read it (Starlark has integers of any length).
    """
    try:
        value = parse_json(output)
    except ValueError as error:
        raise BadAnswer(f"the agent's output cannot be read: {error}") from error
    if not isinstance(value, dict) or "body" not in value:
        return EventAnswer(200, (("Content-Type", "application/json"),), output)
    status = _status(value.get("status"))
    headers = _headers(value.get("headers"))
    if status in _WITHOUT_BODY:
        return EventAnswer(status, headers, b"")
    content_type = next((text for name, text in headers if name.lower() == "content-type"), None)
    if content_type is None:
        headers = (("Content-Type", "application/json"), *headers)
    elif isinstance(value["body"], str) and not _is_json(content_type):
        return EventAnswer(status, headers, value["body"].encode())
    try:
        return EventAnswer(status, headers, exact_json.dumps(value["body"]))
    except orjson.JSONEncodeError as error:
        raise BadAnswer(f"the agent's `body` cannot be sent: {error}") from error


def _is_json(content_type: str) -> bool:
    return _media_type(content_type).endswith(("/json", "+json"))


def _status(given: object) -> int:
    if given is None:
        return 200
    if not isinstance(given, int) or isinstance(given, bool) or not 200 <= given <= 599:
        raise BadAnswer(f"the agent's `status` must be a whole number from 200 to 599, not {_shown(given)}")
    return given


def _headers(given: object) -> tuple[tuple[str, str], ...]:
    if given is None:
        return ()
    if not isinstance(given, dict):
        raise BadAnswer(f"the agent's `headers` must be an object of strings, not {_shown(given)}")
    for name, value in given.items():
        if not _HEADER_NAME.fullmatch(name):
            raise BadAnswer(f"the agent's `headers` have {_shown(name)}, which is not the name of a header")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise BadAnswer(f"the agent's header {name} must be a string of one line, not {_shown(value)}")
    return tuple((name, value) for name, value in given.items() if name.lower() not in _OUR_HEADERS)


def _shown(value: object) -> str:
    try:
        text = exact_json.dumps(value).decode()
    except orjson.JSONEncodeError:
        return "a value that is nested too deeply"
    return text if len(text) <= 80 else f"{text[:80]}…"
