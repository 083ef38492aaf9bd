"""From the args of an ``http`` call to the request that is sent, and to the one that follows a redirect."""

import base64
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from urllib.parse import quote, unquote, unquote_plus, urlencode, urljoin

import orjson

from .. import exact_json
from ..urls import HttpUrl, parse_http_url
from .function import HostError, JsonObject
from .secrets import Secrets

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
IDEMPOTENT_METHODS = ("GET", "HEAD", "OPTIONS")
_WITHOUT_KEY = ("GET", "HEAD")
_FORM = "application/x-www-form-urlencoded"
_CREDENTIAL_HEADERS = {"authorization", "proxy-authorization", "cookie"}
_BODY_HEADERS = {
    "content-type",
    "content-encoding",
    "content-language",
    "content-location",
    "idempotency-key",
}
# They frame the message or choose its receiver: an agent that set them could smuggle a second request.
_OUR_HEADERS = {"host", "content-length", "transfer-encoding", "connection", "upgrade", "te", "trailer"}
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_LINE_BREAK = re.compile(r"[\r\n\x00]")

Fill = Callable[[str], str]
Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """A request with its secrets filled in.

    The ``public`` parts are what may be sent to another origin after a redirect: no credentials, no secrets.
    """

    method: str
    url: HttpUrl
    headers: tuple[Header, ...]
    public_headers: tuple[Header, ...]
    body: bytes | None
    public_body: bytes | None
    redact: Callable[[str], str]

    def redirected(self, status: int, location: str) -> "HttpRequest":
        """The request that a redirect asks for (RFC 9110, section 15.4).

        To another origin go the public parts, and no redirect adds the others again, not even one that leads back.

        Raises:
            ValueError: the location is not an http URL, or it would take a secret to another origin.
        """
        url = replace(parse_http_url(urljoin(self.url.text, location)), user=None, password=None)
        request = replace(self, url=url)
        if url.origin != self.url.origin:
            if self._holds_secret() and _found(f"{url.path}?{url.query}", self.redact):
                raise ValueError(
                    "its URL holds the value of an env() variable, which is not sent to another origin; "
                    "request the right origin in the first place"
                )
            request = replace(request, headers=self.public_headers, body=self.public_body)
        if (status == 303 and self.method != "HEAD") or (status in (301, 302) and self.method == "POST"):
            request = request._as_get()
        return request

    def _holds_secret(self) -> bool:
        texts = (self.url.text, *(value for _, value in self.headers), (self.body or b"").decode("utf-8", "replace"))
        return any(_found(text, self.redact) for text in texts)

    def _as_get(self) -> "HttpRequest":
        def kept(headers: tuple[Header, ...]) -> tuple[Header, ...]:
            return tuple(header for header in headers if header[0].lower() not in _BODY_HEADERS)

        return replace(
            self,
            method="GET",
            headers=kept(self.headers),
            public_headers=kept(self.public_headers),
            body=None,
            public_body=None,
        )


def _found(text: str, redact: Callable[[str], str]) -> bool:
    """Whether ``text`` holds a known value, percent-encoded or not."""
    return any(redact(spelled) != spelled for spelled in (text, unquote(text), unquote_plus(text)))


def prepare(args: JsonObject, idempotency_key: str, secrets: Secrets) -> HttpRequest:
    """Check the record's args of an ``http`` call and make the request, with this run's secrets filled in.

    Raises:
        HostError: an argument cannot be used; the message names it.
    """
    method = _method(args.get("method"))
    url = _url(args.get("url"), secrets)
    fill = partial(secrets.fill, host=url.host, port=url.port)
    given = _headers(args.get("headers"))
    names = {name.lower() for name, _ in given}
    content_type = next((value for name, value in given if name.lower() == "content-type"), None)
    public_body, default_type = _encoded(args.get("body"), content_type, str)
    body, _ = _encoded(args.get("body"), content_type, fill)
    headers = [(name, _checked(name, fill(value))) for name, value in given]
    public = tuple(
        (name, value)
        for (name, value), (_, filled) in zip(given, headers, strict=True)
        if name.lower() not in _CREDENTIAL_HEADERS and value == filled == secrets.redact(filled)
    )
    added: tuple[Header, ...] = ()
    if default_type is not None and content_type is None:
        added += (("Content-Type", default_type),)
    if method not in _WITHOUT_KEY and "idempotency-key" not in names:
        added += (("Idempotency-Key", idempotency_key),)
    authorization = None if "authorization" in names else _basic_auth(args.get("auth"), url, fill, secrets)
    return HttpRequest(
        method=method,
        url=_with_params(url, args.get("params"), fill),
        headers=(*headers, *added, *authorization) if authorization else (*headers, *added),
        public_headers=public + added,
        body=body,
        public_body=None if public_body is None else secrets.redact(public_body.decode()).encode(),
        redact=secrets.redact,
    )


def _method(value: object) -> str:
    method = value.upper() if isinstance(value, str) else value
    if method not in METHODS or not isinstance(method, str):
        raise HostError(f"http: the method is {value!r}; use one of: {', '.join(METHODS)}")
    return method


def _url(value: object, secrets: Secrets) -> HttpUrl:
    if not isinstance(value, str):
        raise HostError("http: the URL must be a string")
    if secrets.has_placeholder(value):
        raise HostError("http: env() values are not filled into a URL; pass them in `query`, a header or the body")
    try:
        return parse_http_url(value)
    except ValueError as error:
        raise HostError(f"http: the URL {value!r} cannot be used: {error}") from error


def _scalar(place: str, value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return exact_json.dumps(value).decode()
    raise HostError(f"http: {place} must be a string, a number or a boolean")


def _pairs(what: str, given: object) -> list[tuple[str, str]]:
    """Name and value of each entry; an array gives its name several times, null gives nothing."""
    if given is None:
        return []
    if not isinstance(given, dict):
        raise HostError(f"http: {what} must be an object")
    pairs: list[tuple[str, str]] = []
    for name, value in given.items():
        values: Iterable[object] = value if isinstance(value, list) else () if value is None else (value,)
        pairs.extend((name, _scalar(f"{what}.{name}", one)) for one in values)
    return pairs


def _headers(given: object) -> list[Header]:
    headers = _pairs("headers", given)
    for name, _ in headers:
        if not _HEADER_NAME.fullmatch(name):
            raise HostError(f"http: {name!r} is not a header name")
        if name.lower() in _OUR_HEADERS:
            raise HostError(f"http: the header {name} is set by the runtime; leave it out")
    return headers


def _checked(name: str, value: str) -> str:
    if _LINE_BREAK.search(value):
        raise HostError(f"http: the value of header {name} contains a line break")
    return value


def _filled_deep(value: Any, fill: Fill) -> Any:
    if isinstance(value, str):
        return fill(value)
    if isinstance(value, dict):
        return {name: _filled_deep(item, fill) for name, item in value.items()}
    return [_filled_deep(item, fill) for item in value] if isinstance(value, list) else value


def _encoded(body: Any, content_type: str | None, fill: Fill) -> tuple[bytes | None, str | None]:
    """The body's bytes and the content type that goes with them unless the agent set one."""
    if body is None:
        return None, None
    if isinstance(body, str):
        return fill(body).encode("utf-8", "replace"), "text/plain; charset=utf-8"
    if content_type is not None and content_type.partition(";")[0].strip().lower() == _FORM:
        return urlencode([(name, fill(value)) for name, value in _pairs("body", body)]).encode(), _FORM
    try:
        exact_json.dumps(body)  # bounds the nesting before it is walked
        return exact_json.dumps(_filled_deep(body, fill)), "application/json"
    except orjson.JSONEncodeError as error:
        raise HostError(f"http: the body cannot be sent as JSON: {error}") from error


def _with_params(url: HttpUrl, params: object, fill: Fill) -> HttpUrl:
    pairs = [(name, fill(value)) for name, value in _pairs("query", params)]
    added = urlencode(pairs, quote_via=quote, safe="", errors="replace")
    return replace(url, query="&".join(part for part in (url.query, added) if part))


def _basic_auth(auth: object, url: HttpUrl, fill: Fill, secrets: Secrets) -> tuple[Header, ...]:
    if auth is None:
        if url.user is None:
            return ()
        user, password = url.user, url.password or ""
    elif isinstance(auth, dict) and isinstance(auth.get("user"), str) and isinstance(auth.get("password"), str):
        user, password = auth["user"], auth["password"]
    else:
        raise HostError("http: auth must be {user, password}, both strings")
    shown = f"{user}:{password}"
    filled = f"{fill(user)}:{fill(password)}"
    encoded = base64.b64encode(filled.encode("utf-8", "replace")).decode()
    if filled != shown:
        secrets.remember(encoded, base64.b64encode(shown.encode("utf-8", "replace")).decode())
    return (("Authorization", f"Basic {encoded}"),)
