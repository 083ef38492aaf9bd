"""What a redirect may carry away: no secret reaches another origin, whatever the server writes into ``Location``."""

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import pytest
from aiohttp import web

from chidori_actors.host.function import HostError, HostServices
from chidori_actors.host.http import FUNCTION
from chidori_actors.host.http_request import prepare
from chidori_actors.host.resources import Resources
from tests.support.http_server import LocalServer, serve
from tests.support.raw_server import once, serve_raw
from tests.support.services import make_services, run_function

TOKEN = "tok/en+1=secret"
AUTH = base64.b64encode(f"u:{TOKEN}".encode()).decode()


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    held = Resources()
    yield held
    await held.aclose()


@pytest.fixture
def services(tmp_path: Path, resources: Resources) -> HostServices:
    environ = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1,localhost", "TOKEN": TOKEN, "STAGE": "production"}
    return make_services(tmp_path, environ=environ, resources=resources)


async def ok(request: web.Request) -> web.StreamResponse:
    return web.json_response({"ok": True})


@asynccontextmanager
async def redirecting(*locations: str, status: int = 307) -> AsyncIterator[LocalServer]:
    """A server that answers its n-th request with the n-th location, and says ok afterwards."""
    left = list(locations)

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, headers={"Location": left.pop(0)}) if left else await ok(request)

    async with serve(handler) as server:
        yield server


def carrying(services: HostServices, place: str) -> dict[str, Any]:
    """The arguments of a POST that carries the secret in one place."""
    key = services.secrets.placeholder("TOKEN")
    places: dict[str, dict[str, Any]] = {
        "headers": {"headers": {"X-Key": key}},
        "bearer": {"headers": {"Authorization": f"Bearer {key}"}},
        "cookie": {"headers": {"Cookie": f"session={key}"}},
        "query": {"params": {"key": key}},
        "auth": {"auth": {"user": "u", "password": key}},
        "json": {"body": {"a": [{"key": key}]}},
        "text": {"body": f"key={key}"},
        "form": {"body": {"key": key}, "headers": {"Content-Type": "application/x-www-form-urlencoded"}},
    }
    return places[place]


PLACES = ["headers", "bearer", "cookie", "query", "auth", "json", "text", "form"]


def everything(server: LocalServer, index: int) -> str:
    received = server.received[index]
    return f"{received.path}\n{received.headers}\n{received.body.decode()}"


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("status", [302, 307])
async def test_nothing_secret_reaches_another_origin(services: HostServices, place: str, status: int) -> None:
    async with (
        serve(ok) as third,
        redirecting(f"http://localhost:{third.port}/x", status=status) as second,
        redirecting(f"{second.url}/x", status=status) as first,
    ):
        args = {"url": f"{first.url}/start", "method": "POST", **carrying(services, place)}
        answer = await run_function(FUNCTION, args, services)
    assert answer["body"] == {"ok": True}
    sent = everything(first, 0)
    assert any(spelled in sent for spelled in (TOKEN, quote(TOKEN, safe=""), AUTH))
    for server in (second, third):
        later = everything(server, 0)
        assert "tok" not in later
        assert AUTH not in later
        assert not {"authorization", "cookie", "referer"} & server.received[0].headers.keys()


async def test_a_redirect_back_to_the_first_origin_does_not_get_the_secrets_again(services: HostServices) -> None:
    homeward: list[str] = []

    async def away(request: web.Request) -> web.StreamResponse:
        return web.Response(status=307, headers={"Location": homeward[0]})

    async with serve(away) as other, redirecting(f"{other.url}/away") as first:
        homeward.append(f"{first.url}/home")
        args = {"url": first.url, "method": "POST", **carrying(services, "headers"), "body": "plain"}
        await run_function(FUNCTION, args, services)
    assert [request.path for request in first.received] == ["/", "/home"]
    assert first.received[0].headers["x-key"] == TOKEN
    assert "x-key" not in first.received[1].headers
    assert first.received[1].body == b"plain"


@pytest.mark.parametrize(
    "spelled", [TOKEN, quote(TOKEN, safe=""), quote(quote(TOKEN, safe="")), "%74ok%2Fen%2B1%3Dsecret"]
)
@pytest.mark.parametrize("place", ["/x?key={}", "/{}/x"])
async def test_a_location_that_repeats_the_secret_is_not_followed_to_another_origin(
    services: HostServices, place: str, spelled: str
) -> None:
    async with serve(ok) as other, redirecting(other.url + place.format(spelled)) as first:
        args = {"url": first.url, **carrying(services, "query")}
        answer = await run_function(FUNCTION, args, services)
    assert other.received == []
    assert answer["status"] == 0
    assert "holds the value of an env() variable, which is not sent to another origin" in answer["error"]
    assert "tok" not in answer["error"]


async def test_a_location_that_repeats_the_secret_is_followed_within_the_origin(services: HostServices) -> None:
    async with redirecting(f"/x?key={quote(TOKEN, safe='')}") as first:
        answer = await run_function(FUNCTION, {"url": first.url, **carrying(services, "query")}, services)
    assert answer["body"] == {"ok": True}


async def test_a_value_that_this_request_does_not_carry_stops_no_redirect(services: HostServices) -> None:
    services.secrets.reveal("STAGE")
    async with serve(ok) as other, redirecting(f"{other.url}/production/x") as first:
        answer = await run_function(FUNCTION, {"url": first.url}, services)
    assert answer["body"] == {"ok": True}


@pytest.mark.parametrize(
    ("location", "same"),
    [
        ("https://api.example/x", True),
        ("https://API.EXAMPLE:443/x", True),
        ("https://api.example./x", True),
        ("/x", True),
        ("?x", True),
        ("//api.example/x", True),
        ("http://api.example/x", False),
        ("http://api.example:443/x", False),
        ("https://api.example:444/x", False),
        ("https://www.api.example/x", False),
        ("https://example/x", False),
        ("https://api.example@other.example/x", False),
        ("//other.example/x", False),
    ],
)
def test_only_scheme_host_and_port_together_are_an_origin(services: HostServices, location: str, same: bool) -> None:
    key = services.secrets.placeholder("TOKEN")
    args = {"url": "https://api.example/a", "headers": {"X-Key": key, "Authorization": "Basic x"}, "body": key}
    request = prepare({"method": "POST", **args}, "key", services.secrets).redirected(307, location)
    sent = {name: value for name, value in request.headers if name in ("X-Key", "Authorization")}
    assert sent == ({"X-Key": TOKEN, "Authorization": "Basic x"} if same else {})
    assert request.body == (TOKEN if same else key).encode()


async def test_neither_fragment_nor_query_goes_along_as_referrer(services: HostServices) -> None:
    async with serve(ok) as other, redirecting(f"{other.url}/there#part") as first:
        await run_function(FUNCTION, {"url": f"{first.url}/a?b=query#fragment"}, services)
    assert first.received[0].path == "/a?b=query"
    assert other.received[0].path == "/there"
    assert "query" not in everything(other, 0)
    assert "fragment" not in everything(first, 0) + everything(other, 0)


async def test_a_policy_error_about_a_redirect_shows_no_secret(tmp_path: Path, resources: Resources) -> None:
    async with redirecting(f"/refused?key={quote(TOKEN, safe='')}") as first:
        rules = [
            {"target": "http", "match_args": {"url_prefix": f"{first.url}/refused"}, "decision": "never_allow"},
            {"target": "http", "decision": "always_allow"},
        ]
        environ = {
            "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1",
            "CHIDORI_POLICY": orjson.dumps({"rules": rules, "default": "always_allow"}).decode(),
            "TOKEN": TOKEN,
        }
        services = make_services(tmp_path, environ=environ, resources=resources)
        with pytest.raises(HostError, match="the request was redirected to") as caught:
            await run_function(FUNCTION, {"url": f"{first.url}/", **carrying(services, "query")}, services)
    assert caught.value.name == "PolicyError"
    assert "tok" not in str(caught.value)


async def test_a_location_that_is_not_utf_8_is_requested_byte_for_byte(services: HostServices) -> None:
    found = b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nConnection: close\r\nLocation: /gr\xfcn\r\n\r\n"
    async with serve_raw(once(found)) as server:
        await run_function(FUNCTION, {"url": server.url}, services)
    assert server.heads[1].startswith(b"GET /gr%FCn HTTP/1.1\r\n")
