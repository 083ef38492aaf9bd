"""Bodies of requests: bounded, JSON where JSON is due, and fields that are what they must be."""

import asyncio
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import HttpVersion11, hdrs, web

from .. import exact_json
from ..finite_numbers import non_finite
from ..journal.json_text import parse_json
from .refusal import Refused

_BODY_SECONDS = 60.0
"""Whoever sends for longer holds a connection and memory for nothing: the largest body needs 170 KB a second."""
_PACKED = ("gzip", "x-gzip", "deflate")
_GZIP_OR_ZLIB = zlib.MAX_WBITS | 32
_BROKEN = "the body ended early, or is not encoded as its headers say"


async def read_bytes(request: web.Request) -> bytes:
    """The body as it was sent, packed or not: signatures are of these bytes.

    Raises:
        Refused: it is larger than the application's ``client_max_size`` (413), takes too long (408), or the client
            stopped sending it or sent nonsense (400).
    """
    await _invite(request)
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            return await request.read()
    except TimeoutError as error:
        raise Refused(408, f"the body was not there within {_BODY_SECONDS:.0f} seconds") from error
    except web.HTTPRequestEntityTooLarge as error:
        raise _too_large(request) from error
    except (ConnectionError, web.RequestPayloadError) as error:
        raise Refused(400, _BROKEN) from error


def unpacked(request: web.Request, body: bytes) -> bytes:
    """What is in a body that was sent with a ``Content-Encoding``; never more of it than a body may have.

    Raises:
        Refused: it is packed in another way (415), broken (400), or too large (413).
    """
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if encoding == "identity":
        return body
    if encoding not in _PACKED:
        taken = ", ".join(_PACKED)
        raise Refused(415, f"the body is encoded as {encoding!r}", headers={hdrs.ACCEPT_ENCODING: taken})
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        data = unpacking.decompress(body, request.client_max_size + 1)
    except zlib.error as error:
        raise Refused(400, _BROKEN) from error
    if len(data) > request.client_max_size:
        raise _too_large(request)
    if not unpacking.eof or unpacking.unused_data:
        raise Refused(400, _BROKEN)
    return data


async def _invite(request: web.Request) -> None:
    """Tell a client that waits for it (``Expect: 100-continue``) to send the body, unless it is too large anyway."""
    if hdrs.EXPECT not in request.headers or request.version < HttpVersion11:
        return
    if request.headers[hdrs.EXPECT].lower() != "100-continue":
        raise Refused(417, "`Expect` may be 100-continue and nothing else")
    if (request.content_length or 0) > request.client_max_size:
        raise _too_large(request)
    if request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def _too_large(request: web.Request) -> Refused:
    return Refused(413, f"the body is larger than {request.client_max_size} bytes")


async def read_fields(request: web.Request, *, optional: bool = False) -> "BodyFields":
    """The body as a JSON object; with ``optional`` nothing is the empty object.

    Raises:
        Refused: as ``read_bytes`` and ``unpacked`` say; or it is not JSON (400), no object, or has a number
            that would become null (422).
    """
    data = unpacked(request, await read_bytes(request))
    if optional and not data.strip():
        return BodyFields({})
    try:
        value, is_finite = exact_json.loads(data), True
    except orjson.JSONDecodeError:
        value, is_finite = _as_javascript(data), False
    if not isinstance(value, dict):
        raise Refused(422, "the body must be a JSON object")
    fault = None if is_finite else next(filter(None, (non_finite(each, name) for name, each in value.items())), None)
    if fault is not None:
        raise Refused(422, fault)
    return BodyFields(value)


def _as_javascript(data: bytes) -> Any:
    """What orjson refuses and JavaScript reads, infinite numbers (1e999) too."""
    try:
        return parse_json(data)
    except ValueError as error:
        raise Refused(400, f"the body is not JSON: {error}") from error


@dataclass(frozen=True, slots=True)
class BodyFields:
    """The fields of a JSON body; unknown ones are ignored. Every method refuses a wrong field with 422."""

    values: Mapping[str, Any]

    def json(self, name: str) -> bytes:
        """A field of any kind, which must be there, as JSON text."""
        if name not in self.values:
            raise Refused(422, f"`{name}` is missing")
        try:
            return exact_json.dumps(self.values[name])
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
            raise Refused(422, f"`{name}` must be a whole number from 0 on")
        return value

    def flag(self, name: str) -> bool:
        value = self.values.get(name, False)
        if not isinstance(value, bool | None):
            raise Refused(422, f"`{name}` must be true or false")
        return bool(value)
