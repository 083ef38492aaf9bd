"""``http`` against real servers on the loopback interface."""

import asyncio
import base64
import gzip
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.host.function import HostError, HostServices
from chidori_actors.host.http import FUNCTION
from chidori_actors.host.resources import Resources
from tests.support.http_server import serve
from tests.support.process import run_python
from tests.support.services import make_services, run_function

TOKEN = 'tok/en+"value" 1'


@pytest.fixture
async def resources() -> AsyncIterator[Resources]:
    held = Resources()
    yield held
    await held.aclose()


@pytest.fixture
def services(tmp_path: Path, resources: Resources) -> HostServices:
    environ = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "TOKEN": TOKEN}
    return make_services(tmp_path, environ=environ, resources=resources)


async def http(services: HostServices, url: str, **args: Any) -> Any:
    return await run_function(FUNCTION, {"url": url, **args}, services)


async def ok(request: web.Request) -> web.StreamResponse:
    return web.json_response({"ok": True})


def redirect(status: int, location: str) -> web.Response:
    return web.Response(status=status, headers={"Location": location})


@dataclass
class Silence:
    """Answers nobody, and tells when a client has come and when it has gone."""

    reached: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.reached.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.left.set()
        raise AssertionError


async def test_json_is_parsed_and_header_names_are_lower_case(services: HostServices) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(
            text='{"a": [1, 2.5, null]}',
            status=201,
            content_type="application/problem+json",
            headers={"X-Thing": "One"},
        )

    async with serve(handler) as server:
        answer = await http(services, server.url)
    assert answer["status"] == 201
    assert answer["body"] == {"a": [1, 2.5, None]}
    assert answer["headers"]["x-thing"] == "One"
    assert "error" not in answer


@pytest.mark.parametrize(
    ("body", "content_type", "expected"),
    [
        ("grün".encode("latin-1"), "text/plain; charset=iso-8859-1", "grün"),
        (b"a\xff", "text/plain", "a�"),
        ("grün".encode(), "text/plain; charset=nonsense", "grün"),
        (b"plain", "text/plain; charset=idna", "plain"),
        (b"{broken", "application/json", "{broken"),
        (b"[" * 300 + b"]" * 300, "application/json", "[" * 300 + "]" * 300),
        (b'{"a":1}', "text/plain", '{"a":1}'),
        (b"", "application/json", ""),
    ],
)
async def test_other_bodies_are_text(services: HostServices, body: bytes, content_type: str, expected: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=body, headers={"Content-Type": content_type})

    async with serve(handler) as server:
        assert (await http(services, server.url))["body"] == expected


@pytest.mark.parametrize(
    ("body", "headers", "sent", "content_type"),
    [
        ({"ok": True, "n": [1]}, {}, b'{"ok":true,"n":[1]}', "application/json"),
        ([1, "x"], {}, b'[1,"x"]', "application/json"),
        (False, {}, b"false", "application/json"),
        ("grün", {}, "grün".encode(), "text/plain; charset=utf-8"),
        ("<a/>", {"content-type": "text/xml"}, b"<a/>", "text/xml"),
        ({"a": 1}, {"Content-Type": "application/vnd.x+json"}, b'{"a":1}', "application/vnd.x+json"),
        (
            {"a b": "c&d", "n": 1, "l": ["x", True], "none": None},
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"a+b=c%26d&n=1&l=x&l=true",
            "application/x-www-form-urlencoded",
        ),
        ("x" * 2_000_000, {}, b"x" * 2_000_000, "text/plain; charset=utf-8"),
    ],
)
async def test_a_body_is_sent_by_its_type(
    services: HostServices, body: Any, headers: dict[str, str], sent: bytes, content_type: str
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response()

    async with serve(handler) as server:
        await http(services, server.url, method="post", headers=headers, body=body)
    assert server.received[0].body == sent
    assert server.received[0].headers["content-type"] == content_type


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET"])
async def test_no_body_sends_no_content_type(services: HostServices, method: str) -> None:
    async with serve(ok) as server:
        await http(services, server.url, method=method, body=None)
    assert "content-type" not in server.received[0].headers


async def test_query_parameters_are_appended_to_those_of_the_url(services: HostServices) -> None:
    async with serve(ok) as server:
        params = {"q": "a b&c", "n": 1, "t": True, "l": ["x", "y"], "none": None}
        await http(services, f"{server.url}/p%2Fq?z=%20", params=params)
    assert server.received[0].path == "/p%2Fq?z=%20&q=a%20b%26c&n=1&t=true&l=x&l=y"


async def test_what_changes_something_carries_the_idempotency_key_unless_one_is_set(
    services: HostServices,
) -> None:
    async with serve(ok) as server:
        await http(services, server.url)
        await http(services, server.url, method="POST")
        await http(services, server.url, method="DELETE", headers={"idempotency-KEY": "mine"})
    keys = [request.headers.get("idempotency-key") for request in server.received]
    assert keys == [None, "run-1:4/2", "mine"]


async def test_credentials_become_a_basic_auth_header(services: HostServices) -> None:
    placeholder = services.secrets.placeholder("TOKEN")
    async with serve(ok) as server:
        host = server.url.removeprefix("http://")
        await http(services, f"http://us%40er:pw@{host}/x")
        await http(services, server.url, auth={"user": "ann", "password": placeholder})
        await http(services, f"http://u:p@{host}/", headers={"Authorization": "Bearer mine"})
    sent = [request.headers["authorization"] for request in server.received]
    assert [base64.b64decode(value.split()[1]).decode() for value in sent[:2]] == ["us@er:pw", f"ann:{TOKEN}"]
    assert sent[2] == "Bearer mine"


async def test_secrets_are_filled_into_headers_query_and_body(services: HostServices) -> None:
    placeholder = services.secrets.placeholder("TOKEN")
    async with serve(ok) as server:
        await http(
            services,
            server.url,
            method="POST",
            headers={"X-Key": f"k {placeholder}"},
            params={"key": placeholder},
            body={"deep": [{"key": placeholder}]},
        )
    received = server.received[0]
    assert received.headers["x-key"] == f"k {TOKEN}"
    assert received.path == "/?key=tok%2Fen%2B%22value%22%201"
    assert orjson.loads(received.body) == {"deep": [{"key": TOKEN}]}


async def test_an_echoed_secret_comes_back_as_its_placeholder(services: HostServices) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        value = request.headers["X-Key"]
        if request.path == "/json":
            return web.json_response({value: [value]}, headers={"X-Echo": value})
        return web.Response(text=f"you sent {value}, {request.headers['Authorization']}, {request.path_qs}")

    placeholder = services.secrets.placeholder("TOKEN")
    args: Any = {"headers": {"X-Key": placeholder}, "auth": {"user": "u", "password": placeholder}}
    async with serve(handler) as server:
        parsed = await http(services, f"{server.url}/json", **args)
        text = await http(services, f"{server.url}/text", params={"key": placeholder}, **args)
    assert parsed["body"] == {placeholder: [placeholder]}
    assert parsed["headers"]["x-echo"] == placeholder
    shown = base64.b64encode(f"u:{placeholder}".encode()).decode()
    assert text["body"] == f"you sent {placeholder}, Basic {shown}, /text?key={placeholder}"


async def test_a_placeholder_in_the_url_is_refused(services: HostServices) -> None:
    url = f"http://127.0.0.1/?key={services.secrets.placeholder('TOKEN')}"
    with pytest.raises(HostError, match=r"not filled into a URL; pass them in `query`"):
        await http(services, url)


@pytest.mark.parametrize("status", [302, 307])
async def test_a_redirect_to_another_origin_loses_every_credential(services: HostServices, status: int) -> None:
    placeholder = services.secrets.placeholder("TOKEN")
    revealed = services.secrets.reveal("TOKEN")
    async with serve(ok) as other:

        async def handler(request: web.Request) -> web.StreamResponse:
            return redirect(status, f"{other.url}/there")

        async with serve(handler) as first:
            answer = await http(
                services,
                first.url,
                method="PUT",
                headers={
                    "Authorization": "Bearer x",
                    "cookie": "a=b",
                    "X-Key": placeholder,
                    "X-Raw": revealed,
                    "X-Plain": "kept",
                },
                params={"key": placeholder},
                body={"key": placeholder, "raw": revealed},
            )
    assert answer["body"] == {"ok": True}
    assert first.received[0].headers["x-key"] == TOKEN
    assert orjson.loads(first.received[0].body) == {"key": TOKEN, "raw": TOKEN}
    there = other.received[0]
    assert there.path == "/there"
    assert there.headers["x-plain"] == "kept"
    assert not {"authorization", "cookie", "x-key", "x-raw"} & there.headers.keys()
    assert orjson.loads(there.body) == {"key": placeholder, "raw": placeholder}


async def test_a_redirect_within_the_origin_keeps_credentials(services: HostServices) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return redirect(307, "there?x=1") if request.path == "/a/here" else await ok(request)

    async with serve(handler) as server:
        await http(services, f"{server.url}/a/here", method="POST", headers={"Authorization": "B x"}, body="hi")
    assert [(r.method, r.path, r.body) for r in server.received] == [
        ("POST", "/a/here", b"hi"),
        ("POST", "/a/there?x=1", b"hi"),
    ]
    assert server.received[1].headers["authorization"] == "B x"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "PUT", "GET"),
        (302, "PUT", "PUT"),
        (303, "HEAD", "HEAD"),
    ],
)
async def test_the_method_after_a_redirect(services: HostServices, status: int, method: str, then: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return redirect(status, "/end") if request.path != "/end" else await ok(request)

    async with serve(handler) as server:
        await http(services, server.url, method=method, body=None if method == "HEAD" else "hi")
    end = server.received[1]
    assert end.method == then
    assert end.body == (b"" if then != method or method == "HEAD" else b"hi")
    assert ("content-type" in end.headers, "idempotency-key" in end.headers) == (then == "PUT", then == "PUT")


async def test_endless_redirects_end(services: HostServices) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return redirect(302, "/again")

    async with serve(handler) as server:
        answer = await http(services, server.url)
    assert answer == {"status": 0, "headers": {}, "body": "", "error": "more than 10 redirects"}
    assert len(server.received) == 11


@pytest.mark.parametrize("location", ["file:///etc/passwd", "http://[::1", "http://bad host/"])
async def test_a_redirect_to_something_else_than_http_is_an_error(services: HostServices, location: str) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return redirect(302, location)

    async with serve(handler) as server:
        answer = await http(services, server.url)
    assert answer["status"] == 0
    assert answer["error"].startswith(f"redirect to '{location}'")


async def test_a_redirect_to_where_policy_does_not_let_the_agent_go_is_a_policy_error(
    tmp_path: Path, resources: Resources
) -> None:
    async with serve(ok) as forbidden:

        async def handler(request: web.Request) -> web.StreamResponse:
            return redirect(302, f"{forbidden.url}/secret") if request.path == "/leave" else redirect(302, "/stay")

        async with serve(handler) as allowed:
            rules = [{"target": "http", "match_args": {"url_prefix": allowed.url}, "decision": "always_allow"}]
            policy = orjson.dumps({"rules": rules, "default": "never_allow"}).decode()
            environ = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "CHIDORI_POLICY": policy}
            services = make_services(tmp_path, environ=environ, resources=resources)
            with pytest.raises(HostError) as caught:
                await http(services, f"{allowed.url}/leave")
            assert (await http(services, f"{allowed.url}/other"))["error"].startswith("more than")
    assert caught.value.name == "PolicyError"
    assert str(caught.value).startswith("policy: `http` denied")
    assert str(caught.value).endswith(f"; the request was redirected to {forbidden.url}/secret")
    assert forbidden.received == []


async def test_json_with_half_an_emoji_is_parsed_and_the_half_replaced(services: HostServices) -> None:
    bodies = {
        "/nested": ('{"a\\ud800": ["x\\ud83d", {"b": "\\ude00"}, "\\ud83d\\ude00"], "n": 1.5}', None),
        "/range": ('["\\ud800", 1e400]', '["\\ud800", 1e400]'),
        "/constant": ('["\\ud800", NaN]', '["\\ud800", NaN]'),
        "/broken": ('["\\ud800"', '["\\ud800"'),
    }

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(text=bodies[request.path][0], content_type="application/json")

    async with serve(handler) as server:
        for path, (_, as_text) in bodies.items():
            answer = await http(services, server.url + path)
            parsed = {"a\ufffd": ["x\ufffd", {"b": "\ufffd"}, "😀"], "n": 1.5}
            assert answer["body"] == (parsed if as_text is None else as_text)


async def test_a_redirect_to_a_private_name_is_refused(services: HostServices) -> None:
    async with serve(ok) as server:

        async def handler(request: web.Request) -> web.StreamResponse:
            return redirect(302, f"http://localhost:{server.port}/secret")

        async with serve(handler) as first:
            with pytest.raises(HostError, match=r"localhost resolves to \S+, a private address; name localhost"):
                await http(services, first.url)
    assert server.received == []


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "169.254.169.254", "10.0.0.1"])
async def test_private_addresses_are_refused(tmp_path: Path, resources: Resources, host: str) -> None:
    services = make_services(tmp_path, resources=resources)
    with pytest.raises(HostError, match=r"is a private address; name \S+ in CHIDORI_HTTP_ALLOW_HOSTS"):
        await http(services, f"http://{host}:1/")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "2130706433", "127.1"])
async def test_a_name_that_resolves_to_a_private_address_never_connects(
    tmp_path: Path, resources: Resources, host: str
) -> None:
    services = make_services(tmp_path, resources=resources)
    async with serve(ok) as server:
        try:
            answer = await http(services, f"http://{host}:{server.port}/")
        except HostError as error:
            assert "a private address" in str(error)  # noqa: PT017
        else:
            assert answer["status"] == 0
    assert server.received == []


async def test_an_allowed_name_covers_what_it_resolves_to(tmp_path: Path, resources: Resources) -> None:
    async with serve(ok) as server:
        for entry, allowed in [(f"localhost:{server.port}", True), ("*", True), ("localhost:1", False)]:
            services = make_services(tmp_path, environ={"CHIDORI_HTTP_ALLOW_HOSTS": entry}, resources=resources)
            call = http(services, f"http://localhost:{server.port}/")
            if allowed:
                assert (await call)["status"] == 200
            else:
                with pytest.raises(HostError):
                    await call


async def test_a_bomb_is_cut_when_it_is_unpacked(services: HostServices) -> None:
    bomb = gzip.compress(b"\0" * (64 << 20))

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=bomb, headers={"Content-Encoding": "gzip"})

    async with serve(handler) as server:
        answer = await http(services, server.url)
    error = "the body is larger than 16777216 bytes, the cap of CHIDORI_HTTP_MAX_BODY_BYTES"
    assert answer == {"status": 0, "headers": {}, "body": "", "error": error}


async def test_broken_compression_is_an_error_result(services: HostServices) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(body=b"no gzip", headers={"Content-Encoding": "gzip"})

    async with serve(handler) as server:
        answer = await http(services, server.url)
    assert answer["status"] == 0
    assert answer["error"]


async def test_a_slow_server_times_out_and_the_request_is_given_up(services: HostServices) -> None:
    silence = Silence()
    async with serve(silence.handle) as server:
        answer = await http(services, server.url, timeout_ms=100)
        assert answer["error"] == "timed out after 100 ms"
        await asyncio.wait_for(silence.left.wait(), 10)


async def test_cancelling_the_call_cancels_the_request(services: HostServices) -> None:
    silence = Silence()
    async with serve(silence.handle) as server:
        task = asyncio.create_task(http(services, server.url))
        await asyncio.wait_for(silence.reached.wait(), 10)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(silence.left.wait(), 10)


async def test_transport_errors_are_results(services: HostServices) -> None:
    async with serve(ok) as server:
        closed = server.url
        tls = await http(services, closed.replace("http:", "https:"))
    refused = await http(services, closed)
    for answer in (tls, refused):
        assert (answer["status"], answer["headers"], answer["body"]) == (0, {}, "")
        assert "127.0.0.1" in answer["error"]
    unknown = await http(services, "http://no-such-host.invalid/")
    assert unknown["status"] == 0
    assert "no-such-host.invalid" in unknown["error"]


async def test_cookies_are_not_kept(services: HostServices) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(headers={"Set-Cookie": "a=b"})

    async with serve(handler) as server:
        await http(services, server.url)
        await http(services, server.url)
    assert "cookie" not in server.received[1].headers


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"url": "ftp://example.com"}, "only http and https"),
        ({"url": "/relative"}, "only http and https"),
        ({"url": 7}, "the URL must be a string"),
        ({"url": "http://exa\nmple.com"}, "control character"),
        ({"method": "TRACE"}, "the method is 'TRACE'"),
        ({"headers": {"X-A": "a\r\nX-B: b"}}, "header X-A contains a line break"),
        ({"headers": {"bad name": "x"}}, "'bad name' is not a header name"),
        ({"headers": {"Host": "other"}}, "the header Host is set by the runtime"),
        ({"headers": {"X-A": {}}}, "headers.X-A must be a string"),
        ({"params": [1]}, "query must be an object"),
        ({"timeout_ms": 0}, "timeoutMs"),
        ({"auth": "user"}, "auth must be"),
    ],
)
async def test_bad_arguments_are_named(services: HostServices, args: dict[str, Any], message: str) -> None:
    with pytest.raises(HostError, match=message):
        await run_function(FUNCTION, {"url": "http://127.0.0.1:1/", **args}, services)


def test_the_record_has_defaults_and_only_reads_are_idempotent() -> None:
    assert FUNCTION.record_args is not None
    recorded = FUNCTION.record_args({"url": "u", "method": "post"}, None)
    assert recorded == {"url": "u", "method": "POST", "headers": {}, "body": None, "params": {}}
    assert [FUNCTION.idempotent({"method": method}) for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT")] == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_importing_the_function_loads_no_client() -> None:
    program = "import sys, chidori_actors.host.http, chidori_actors.host.template\n"
    program += "print([name for name in ('aiohttp', 'yarl', 'jinja2') if name in sys.modules])"
    done = run_python(program)
    assert (done.stdout, done.stderr) == ("[]\n", "")
