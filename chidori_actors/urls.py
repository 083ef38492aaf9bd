"""One reading of an http URL, shared by the policy and the HTTP client so that they cannot disagree."""

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from urllib.parse import quote, unquote, urlsplit

_DEFAULT_PORTS = {"http": 80, "https": 443}
_HOST_NAME = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
# RFC 3986 section 3.3 and 3.4; "%" stays so that what is encoded already is sent byte for byte.
_PATH_SAFE = "/%:@!$&'()*+,;=~"
_QUERY_SAFE = "/?%:@!$&'()*+,;=~[]"


@dataclass(frozen=True, slots=True)
class HttpUrl:
    """A URL in normal form: ASCII host in lower case, explicit port, no dot segments, no fragment."""

    scheme: str
    host: str
    port: int
    path: str
    query: str
    user: str | None = None
    password: str | None = None

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port: what credentials belong to."""
        return self.scheme, self.host, self.port

    @property
    def text(self) -> str:
        """The URL as it is requested: percent-encoded, without credentials."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        port = "" if self.port == _DEFAULT_PORTS[self.scheme] else f":{self.port}"
        query = f"?{self.query}" if self.query else ""
        return f"{self.scheme}://{host}{port}{self.path}{query}"


def parse_http_url(text: str) -> HttpUrl:
    """Read an absolute ``http`` or ``https`` URL.

    Raises:
        ValueError: it is none; the message says why.
    """
    if _CONTROL.search(text):
        raise ValueError("it contains a control character")
    parts = urlsplit(text)
    if parts.scheme not in _DEFAULT_PORTS:
        raise ValueError("only http and https URLs are allowed")
    if "\\" in parts.netloc:
        raise ValueError("its host contains a backslash")
    port = parts.port
    if port == 0:
        raise ValueError("port 0 is not allowed")
    return HttpUrl(
        scheme=parts.scheme,
        host=_normal_host(parts.hostname or ""),
        port=port or _DEFAULT_PORTS[parts.scheme],
        path=_without_dot_segments(quote(parts.path, safe=_PATH_SAFE)),
        query=quote(parts.query, safe=_QUERY_SAFE),
        user=None if parts.username is None else unquote(parts.username),
        password=None if parts.password is None else unquote(parts.password),
    )


def _normal_host(host: str) -> str:
    if not host:
        raise ValueError("it has no host")
    if ":" in host and "%" not in host:
        return str(IPv6Address(host))
    try:
        name = host.removesuffix(".").encode("idna").decode("ascii").lower()
    except UnicodeError as error:
        raise ValueError(f"{host!r} is not a valid host name") from error
    if not _HOST_NAME.fullmatch(name):
        raise ValueError(f"{host!r} is not a valid host name")
    return name


def _without_dot_segments(path: str) -> str:
    """RFC 3986 section 5.2.4; an encoded dot counts, because servers decode it."""
    kept: list[str] = []
    segments = path.split("/")[1:]
    for index, segment in enumerate(segments):
        plain = re.sub("%2e", ".", segment, flags=re.IGNORECASE)
        last = index == len(segments) - 1
        if plain == "..":
            del kept[-1:]
        elif plain != ".":
            kept.append(segment)
            continue
        if last:
            kept.append("")
    return "/" + "/".join(kept)
