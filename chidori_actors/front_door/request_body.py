"""Bodies of requests: bounded, JSON where JSON is due, and fields that are what they must be."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from ..journal.json_text import parse_json
from .refusal import Refused


async def read_bytes(request: web.Request) -> bytes:
    """The body; aiohttp refuses one that is larger than the application's ``client_max_size``.

    Raises:
        Refused: it is too large (413), or the client stopped sending it or sent nonsense (400).
    """
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge as error:
        raise Refused(413, f"the body is larger than {request.client_max_size} bytes") from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Refused(400, "the body ended early, or is not encoded as its headers say") from error


async def read_fields(request: web.Request, *, optional: bool = False) -> "BodyFields":
    """The body as a JSON object; with ``optional`` nothing is the empty object.

    Raises:
        Refused: it is not JSON (400), or no object (422).
    """
    data = await read_bytes(request)
    if optional and not data.strip():
        return BodyFields({})
    try:
        value = parse_json(data)
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise Refused(422, "the body must be a JSON object")
    return BodyFields(value)


@dataclass(frozen=True, slots=True)
class BodyFields:
    """The fields of a JSON body; unknown ones are ignored. Every method refuses a wrong field with 422."""

    values: Mapping[str, Any]

    def json(self, name: str) -> bytes:
        """A field of any kind, which must be there, as JSON text."""
        if name not in self.values:
            raise Refused(422, f"`{name}` is missing")
        try:
            return orjson.dumps(self.values[name])
        except orjson.JSONEncodeError as error:
            raise Refused(422, f"`{name}` cannot be taken: {error}") from error

    def text(self, name: str) -> str:
        """A string that must be there."""
        value = self.optional_text(name)
        if value is None:
            raise Refused(422, f"`{name}` is missing")
        return value

    def optional_text(self, name: str) -> str | None:
        value = self.values.get(name)
        if value is not None and not isinstance(value, str):
            raise Refused(422, f"`{name}` must be a string")
        return value

    def optional_number(self, name: str) -> int | None:
        """A whole number from 0 on."""
        value = self.values.get(name)
        if value is None:
            return None
        if isinstance(value, float) and value.is_integer():
            value = int(value)  # 3.0 is the number that 3 is
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 2**53:
            raise Refused(422, f"`{name}` must be a whole number")
        return value

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool | None):
            raise Refused(422, f"`{name}` must be true or false")
        return bool(value)
