"""JSON texts as Python values, and times as the contract writes them."""

import json
from datetime import UTC, datetime
from typing import Any

import orjson

from .. import exact_json


def parse_json(text: bytes) -> Any:
    """The value of a JSON text; lone surrogates become U+FFFD, as they do wherever text is encoded.

    Raises:
        ValueError: it is not JSON.
    """
    try:
        return exact_json.loads(text)
    except orjson.JSONDecodeError:
        # orjson refuses "\ud83d" and 1e400, which JavaScript reads.
        try:
            return _encodable(json.loads(text, parse_constant=_refuse_constant))
        except RecursionError:
            raise ValueError("it is nested too deeply") from None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    if isinstance(value, list):
        return [_encodable(item) for item in value]
    if isinstance(value, dict):
        return {_encodable(key): _encodable(item) for key, item in value.items()}
    return value


def rfc3339(at_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC, with milliseconds: ``2026-01-31T12:00:00.123Z``."""
    seconds, milliseconds = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{milliseconds:03d}Z"


def milliseconds_since_1970(text: str) -> int:
    """The inverse of ``rfc3339``; any offset, finer fractions are cut off.

    Raises:
        ValueError: it is not such a time.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    whole = moment.replace(microsecond=0)
    return int(whole.timestamp()) * 1000 + moment.microsecond // 1000
