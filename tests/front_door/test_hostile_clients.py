"""Clients that are broken, slow or mean, on raw sockets: clear answers, bounded memory, and no harm to others."""

import asyncio
import base64
import gzip
import hmac
import re
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.front_door import event_stream, request_body
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import LOCAL, within, write_agent
from tests.support.gate import gate

SECONDS = 60
LIMIT = 100_000
SECRET = "a secret of the sender"
SETTINGS = {**LOCAL, "CHIDORI_MAX_BODY_BYTES": str(LIMIT)}

ECHO = """
export async function agent(input: any, chidori: any) {
  return input;
}
"""

FETCHES = """
export async function agent(input: any, chidori: any) {
  return (await chidori.http(input.url)).body;
}
"""

TALKS = """
export async function agent(input: any, chidori: any) {
  for (let n = 0; n < input.times; n++) await chidori.log("talk", { n, padding: "x".repeat(input.bytes) });
  return "said";
}
"""


@asynccontextmanager
async def connected(client: Client, receive_bytes: int | None = None) -> AsyncIterator[Any]:
    """Reader and writer of a connection; with ``receive_bytes`` the kernel takes no more than that unread."""
    made = socket.socket()
    if receive_bytes is not None:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
    made.setblocking(False)
    await asyncio.get_running_loop().sock_connect(made, ("127.0.0.1", int(client.url.rpartition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=made, limit=1024 if receive_bytes else 2**16)
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


async def statuses(client: Client, sent: bytes, count: int) -> list[int]:
    """What a connection on which these bytes were sent is answered, up to ``count`` answers; with 0 it ends there."""
    async with connected(client) as (reader, writer):
        writer.write(sent)
        if count == 0:
            writer.write_eof()
        answer, found = b"", list[bytes]()
        while count == 0 or len(found) < count:
            piece = await within(SECONDS, reader.read(65536))
            if not piece:
                break
            answer += piece
            found = re.findall(rb"HTTP/1\.[01] (\d+) [\w ]+\r\n", answer)
    return [int(status) for status in found]


def post(body: bytes, *headers: str, path: str = "/sessions", length: int | None = None) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        "Host: localhost",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    )
    return "\r\n".join((*lines, "", "")).encode() + body


async def sessions(client: Client) -> list[str]:
    told = await client("GET", "/sessions?limit=500")
    assert told.status == 200
    return [each["id"] for each in told.json["sessions"]]


async def until(holds: Callable[[], bool]) -> None:
    for _ in range(SECONDS * 100):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never came")


NOT_HTTP = {
    "a body longer than it says": (post(b'{"input": 1}GARBAGE', length=12), 400),
    "two lengths": (post(b'{"input": 1}', "Content-Length: 11"), 400),
    "a length that is no number": (post(b"{}", "Content-Length: two"), 400),
    "a negative length": (post(b"", length=-1), 400),
    "length and chunks": (post(b"0\r\n\r\n", "Transfer-Encoding: chunked"), 400),
    "broken chunks": (b"POST /sessions HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}", 400),
    "a header of 100 KB": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n", 431),
    "a name of a header of 100 KB": (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"a" * 100_000 + b": 1\r\n\r\n",
        431,
    ),
    "a target of 20 KB": (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "a target of 100 KB": (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
    "10,000 headers": (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: 1\r\n" % n for n in range(10_000)) + b"\r\n",
        431,
    ),
    "NUL in a header": (b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: a\0b\r\n\r\n", 400),
    "NUL in the path": (b"GET /sessions/a\0b HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "bytes in the path": (b"GET /sessions/\xff\xfe HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
    "a version that there is not": (b"GET /health HTTP/9.9\r\nHost: localhost\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400),
    "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc" * 20, 400),
    "no host": (b"GET /health HTTP/1.1\r\n\r\n", 400),
}


@pytest.mark.parametrize(("sent", "status"), NOT_HTTP.values(), ids=NOT_HTTP)
async def test_what_is_not_http_is_refused_in_json_and_starts_nothing(
    tmp_path: Path, sent: bytes, status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path, SETTINGS) as client:
        async with connected(client) as (reader, writer):
            writer.write(sent)
            answer = await within(SECONDS, reader.readuntil(b"\r\n\r\n"))
            [length] = re.findall(rb"Content-Length: (\d+)", answer)
            body = await within(SECONDS, reader.readexactly(int(length)))
        assert re.match(rb"HTTP/1\.[01] %d " % status, answer)
        assert b"\r\nContent-Type: application/json" in answer
        [(name, said)] = orjson.loads(body).items()
        assert (name, len(said) < 300, "\n" in said, "aaaa" in said) == ("error", True, False, False)
        assert await sessions(client) == []
    logged = capsys.readouterr().err
    assert "Traceback" not in logged
    assert max(map(len, logged.splitlines())) < 2000


ANSWERED = {
    "HTTP/1.0": (b"GET /health HTTP/1.0\r\n\r\n", [200]),
    "twenty requests at once": (b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20, [200] * 20),
    "an upgrade that is not offered": (
        b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
        [200],
    ),
    "NUL in an id": (b"GET /sessions/a%00b HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
    "bytes in an id": (b"GET /sessions/%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
    "slashes in an id": (b"GET /sessions/..%2f..%2fetc HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
    "an id that leads out": (b"GET /sessions/../health HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
    "a proxy's request": (b"CONNECT a:1 HTTP/1.1\r\nHost: localhost\r\n\r\n", [404]),
    "an unknown expectation": (post(b'{"input": 1}', "Expect: more"), [417]),
    "half a body": (post(b'{"inp', length=100), []),
}


@pytest.mark.parametrize(("sent", "expected"), ANSWERED.values(), ids=ANSWERED)
async def test_odd_requests_are_answered_and_start_nothing(
    tmp_path: Path, sent: bytes, expected: list[int], capsys: pytest.CaptureFixture[str]
) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path, SETTINGS) as client:
        assert await statuses(client, sent, len(expected)) == expected
        assert await sessions(client) == []
    assert "Traceback" not in capsys.readouterr().err


BODIES = {
    "NUL as it stands": (b'{"input": "a\0b"}', 400, None),
    "NUL escaped": (b'{"input": "a\\u0000b"}', 201, "a\0b"),
    "not UTF-8": (b'{"input": "\xff"}', 400, None),
    "half an emoji": (b'{"input": "\\ud83d"}', 201, "\ufffd"),
    "too deep to read": (b'{"input": ' + b"[" * 40_000 + b"]" * 40_000 + b"}", 400, None),
    "too deep to keep": (b'{"input": ' + b"[" * 500 + b"]" * 500 + b"}", 422, None),
    "the same key twice": (b'{"input": 1, "input": 2}', 201, 2),
    "a number that is none in JavaScript": (b'{"input": 1e999999}', 422, None),
    "an integer of many digits": (b'{"input": 123456789012345678901234567890}', 201, 1.2345678901234568e29),
    "an agent elsewhere": (b'{"input": 1, "agent": "../agent.ts"}', 400, None),
    "an agent elsewhere, escaped": (b'{"input": 1, "agent": "..%2fagent.ts"}', 400, None),
    "an agent with NUL": (b'{"input": 1, "agent": "agent.ts\\u0000.ts"}', 400, None),
    "an id that is a route": (b'{"input": 1, "session_id": "stream"}', 422, None),
    "an id that is a folder": (b'{"input": 1, "session_id": ".."}', 422, None),
    "an id with a slash": (b'{"input": 1, "session_id": "../a"}', 422, None),
}


@pytest.mark.parametrize(("body", "status", "value"), BODIES.values(), ids=BODIES)
async def test_odd_json_is_taken_as_javascript_takes_it_or_refused(
    tmp_path: Path, body: bytes, status: int, value: Any
) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path, SETTINGS) as client:
        for path in ("/sessions", "/sessions/stream"):
            told = await client("POST", path, data=body)
            assert told.status == (200 if status == 201 and "stream" in path else status), told.body
            if status >= 400:
                assert isinstance(told.json["error"], str)
        kept = await sessions(client)
        assert len(kept) == (2 if status == 201 else 0)
        for session in kept:
            view = (await client("GET", f"/sessions/{session}")).json
            assert (view["input"], view["output"], view["status"]) == (value, value, "completed")


# -- bodies that are packed ------------------------------------------------------------------------------------------


async def test_a_packed_body_is_unpacked_and_a_bomb_is_refused(tmp_path: Path) -> None:
    packed = {"Content-Encoding": "gzip"}
    async with serving(write_agent(tmp_path, ECHO), tmp_path, SETTINGS) as client:
        told = await client("POST", "/sessions", data=gzip.compress(b'{"input": "small"}'), headers=packed)
        assert (told.status, told.json["output"]) == (201, "small")
        bomb = gzip.compress(b'{"input": "' + b"x" * 30_000_000 + b'"}')
        assert len(bomb) < LIMIT
        assert (await client("POST", "/sessions", data=bomb, headers=packed)).status == 413
        assert (await client("POST", "/an/event", data=bomb, headers=packed)).status == 413
        cut = gzip.compress(b'{"input": "small"}')[:-4]
        for broken in (b"not packed", cut, gzip.compress(b'{"input": 1}') + b"more"):
            assert (await client("POST", "/sessions", data=broken, headers=packed)).status == 400
        other = await client("POST", "/sessions", data=b"x", headers={"Content-Encoding": "br"})
        assert (other.status, other.headers["Accept-Encoding"]) == (415, "gzip, x-gzip, deflate")
        assert len(await sessions(client)) == 1


async def test_a_signature_is_of_the_body_as_it_was_sent(tmp_path: Path) -> None:
    entries = tmp_path / "webhooks.json"
    entries.write_bytes(orjson.dumps({"/hook": {"kind": "github", "secret": SECRET}}))
    body = b'{"action": "opened"}'
    sent = gzip.compress(body)
    settings = {**SETTINGS, "CHIDORI_WEBHOOKS": str(entries)}
    async with serving(write_agent(tmp_path, ECHO), tmp_path, settings) as client:
        for signed, status in ((sent, 200), (body, 401)):
            signature = "sha256=" + hmac.digest(SECRET.encode(), signed, "sha256").hex()
            headers = {"Content-Encoding": "gzip", "X-Hub-Signature-256": signature}
            told = await client("POST", "/hook", data=sent, headers=headers)
            assert told.status == status, told.body
            if status == 200:
                event = told.json["event"]
                assert (event["body"], event["raw"]) == ({"action": "opened"}, base64.b64encode(sent).decode())


# -- clients that are slow, and that go away -------------------------------------------------------------------------


async def test_clients_that_never_finish_their_headers_hold_nobody_else(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path, SETTINGS) as client:
        slow = [connected(client) for _ in range(200)]
        opened = [await each.__aenter__() for each in slow]
        for _, writer in opened:
            writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        told = await client("POST", "/sessions", json={"input": "quick"})
        assert (told.status, told.json["output"]) == (201, "quick")
        reader, writer = opened[0]
        writer.write(b"but sure\r\n\r\n")
        assert (await within(SECONDS, reader.readline())).endswith(b" 200 OK\r\n")
        for each in slow:
            await each.__aexit__(None, None, None)


async def test_a_client_that_stops_in_the_middle_of_its_body_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(request_body, "_BODY_SECONDS", 0.1)
    async with serving(write_agent(tmp_path, ECHO), tmp_path, SETTINGS) as client:
        async with connected(client) as (reader, writer):
            writer.write(post(b'{"inp', length=100))
            assert b" 408 " in await within(SECONDS, reader.readline())
        assert await sessions(client) == []


async def test_a_body_is_asked_for_only_when_it_is_wanted(tmp_path: Path) -> None:
    expects = "Expect: 100-continue"
    async with serving(write_agent(tmp_path, ECHO), tmp_path, {**SETTINGS, "CHIDORI_API_KEY": "key"}) as client:
        for headers, length, status in (
            ((expects, "Authorization: Bearer key"), 12, 100),
            ((expects,), 12, 401),
            ((expects, "Authorization: Bearer key"), LIMIT + 1, 413),
        ):
            async with connected(client) as (reader, writer):
                writer.write(post(b"", *headers, length=length))
                assert f" {status} " in (await within(SECONDS, reader.readline())).decode()
                if status == 100:
                    assert await within(SECONDS, reader.readline()) == b"\r\n"
                    writer.write(b'{"input": 1}')
                    assert b" 201 " in await within(SECONDS, reader.readline())


@pytest.mark.parametrize("path", ["/sessions", "/sessions/stream"])
async def test_a_session_goes_on_when_its_client_goes_away(tmp_path: Path, path: str) -> None:
    async with gate() as held, serving(write_agent(tmp_path, FETCHES), tmp_path) as client:
        async with connected(client) as (_, writer):
            writer.write(post(orjson.dumps({"input": {"url": f"{held.url}/a"}, "session_id": "left"}), path=path))
            await within(SECONDS, held.until_asked("/a"))
        assert await sessions(client) == ["left"]
        assert (await client("GET", "/sessions/left")).json["status"] == "running"
        held.open("/a")
        stream = await within(SECONDS, client("GET", "/sessions/left/stream"))
        assert b"event: done" in stream.body
        assert not held.gone.is_set()
        view = (await client("GET", "/sessions/left")).json
        assert (view["status"], view["output"]["through"]) == ("completed", "/a")


async def test_a_client_that_never_reads_its_stream_is_let_go_and_holds_nobody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(event_stream, "_WRITE_SECONDS", 0.2)
    logged: list[str] = []

    def let_go() -> bool:
        logged.extend(capsys.readouterr().err.splitlines())
        return any("path=/sessions/loud/stream" in line for line in logged)

    async with serving(write_agent(tmp_path, TALKS), tmp_path) as client:
        body = {"input": {"times": 300, "bytes": 50_000}, "session_id": "loud"}
        assert (await client("POST", "/sessions", json=body)).status == 201
        async with connected(client, receive_bytes=4096) as (reader, writer):
            writer.write(b"GET /sessions/loud/stream HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(let_go)
            received = b""
            with suppress(ConnectionError):
                while piece := await within(SECONDS, reader.read(65536)):
                    received += piece
            assert b"event: done" not in received
        sent = next(line for line in logged if "path=/sessions/loud/stream" in line)
        assert int(re.findall(r"bytes=(\d+)", sent)[0]) < 10_000_000, "it was written into memory"
        whole = await within(SECONDS, client("GET", "/sessions/loud/stream"))
        assert whole.body.count(b"event: call") == 300
