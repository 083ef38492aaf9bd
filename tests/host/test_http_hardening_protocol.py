"""Servers that do not speak HTTP, or abuse it: every answer ends, with words that a person can use."""

import asyncio
import gc
import os
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chidori_actors.host.content_encoding import BodyDecoder
from chidori_actors.host.function import HostServices
from chidori_actors.host.http import FUNCTION
from chidori_actors.host.resources import Resources
from tests.support.process import finished
from tests.support.raw_server import OK, Answer, endless, once, serve_raw
from tests.support.services import make_services, run_function

CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
# Class names, source positions and reprs of Python and its libraries.
FOREIGN = re.compile(
    r"[A-Z][a-z]+(Error|Exception)|aiohttp|_ssl|ssl:|\.py|b'|\\x|bytearray|Errno|message=|<|\n|/work|/home"
)


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[HostServices]:
    resources = Resources()
    yield make_services(tmp_path, environ={"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}, resources=resources)
    await resources.aclose()


async def error_of(services: HostServices, answer: Answer, timeout_ms: int = 20_000) -> str:
    async with serve_raw(answer) as server:
        result = await run_function(FUNCTION, {"url": server.url, "timeout_ms": timeout_ms}, services)
    assert (result["status"], result["headers"], result["body"]) == (0, {}, "")
    error = result["error"]
    assert isinstance(error, str)
    assert not FOREIGN.search(error), error
    return error


INVALID = "the response is not valid HTTP"
BROKEN = "the body is broken or ended early"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (endless(OK, b"X-A: " + b"a" * 100 + b"\r\n"), f"{INVALID}: Too many headers received"),
        (endless(OK + b"X-A: ", b"a" * 10_000), f"{INVALID}: Got more than 8190 bytes"),
        (endless(b"HTTP/1.1 200 ", b"a" * 10_000), f"{INVALID}: Got more than 8190 bytes"),
        (once(OK + b"X-A: " + b"a" * 20_000 + b"\r\n\r\n"), f"{INVALID}: Got more than 8190 bytes"),
        (
            once(OK + b"".join(b"x%d: 1\r\n" % n for n in range(100_000)) + b"\r\n"),
            f"{INVALID}: Too many headers received",
        ),
        (endless(CHUNKED + b"0\r\n", b"X-A: 1\r\n" * 100), INVALID),
        (once(OK + b"Content-Length: -3\r\n\r\nabc"), INVALID),
        (once(OK + b"Content-Length: abc\r\n\r\nabc"), INVALID),
        (once(OK + b"Content-Length: 3\r\nContent-Length: 5\r\n\r\nabcde"), INVALID),
        (once(OK + b"Content-Length: " + b"9" * 30 + b"\r\n\r\nabc"), INVALID),
        (once(OK + b"Content-Length: 3\r\n\r\nabcdef"), INVALID),
        (once(OK + b"Content-Length: 10\r\n\r\nabc"), f"{BROKEN}: Not enough data"),
        (once(CHUNKED + b"5\r\nabc"), f"{BROKEN}: Not enough data"),
        (once(CHUNKED + b"zz\r\nabc\r\n"), INVALID),
        (once(CHUNKED + b"f" * 40 + b"\r\nabc\r\n"), INVALID),
        (once(CHUNKED + b"-1\r\nabc\r\n"), INVALID),
        (once(CHUNKED + b"3\r\nabcdef\r\n"), INVALID),
        (once(OK + b"no header\r\n\r\n"), INVALID),
        (once(OK + b"X-A: a\x00b\r\n\r\n"), INVALID),
        (once(b"hello world\r\n\r\n"), INVALID),
        (once(b"\x15\x03\x01\x00\x02\x02\x16"), INVALID),
        (once(b"SSH-2.0-OpenSSH_9.6\r\n"), INVALID),
        (once(b"HTTP/1.1 99999 X\r\n\r\n"), INVALID),
        (once(b"HTTP/1.1 abc X\r\n\r\n"), INVALID),
        (once(b"HTTP/9.9 200 X\r\n\r\n"), INVALID),
        (once(b"HTTP/1.1 000 X\r\nContent-Length: 0\r\n\r\n"), f"{INVALID}: its status is 0"),
        (once(b"HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n"), INVALID),
        (once(b""), "the server closed the connection before it had answered"),
        (once(OK), "the server closed the connection before it had answered"),
    ],
)
async def test_what_is_not_http_is_an_error_in_words(services: HostServices, answer: Answer, error: str) -> None:
    assert (await error_of(services, answer)).startswith(error)


@pytest.mark.parametrize("piece", [b"zz\r\n", b"f" * 40 + b"\r\n", b"3\r\nabcdef\r\n", b"0\r\nno trailer\r\n\r\n"])
async def test_chunks_that_break_after_the_head_was_read(
    services: HostServices, monkeypatch: pytest.MonkeyPatch, piece: bytes
) -> None:
    reached = asyncio.Event()
    feed = BodyDecoder.feed

    def fed(decoder: BodyDecoder, data: bytes) -> None:
        feed(decoder, data)
        reached.set()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"5\r\nabcde\r\n")
        await reached.wait()
        writer.write(piece)
        await writer.drain()

    monkeypatch.setattr(BodyDecoder, "feed", fed)
    assert (await error_of(services, answer)).startswith((INVALID, BROKEN))


@pytest.mark.parametrize("whole", [True, False])
async def test_a_connection_that_is_reset_is_told_and_nothing_is_logged(
    services: HostServices, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    reached, reset = asyncio.Event(), asyncio.Event()
    logged: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: logged.append(context))
    feed = BodyDecoder.feed

    def fed(decoder: BodyDecoder, data: bytes) -> None:
        feed(decoder, data)
        reached.set()

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED + b"5\r\nabcde\r\n")
        await reached.wait()
        if whole:
            writer.write(b"0\r\n\r\n")
            await reset.wait()
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    monkeypatch.setattr(BodyDecoder, "feed", fed)
    async with serve_raw(answer) as server:
        result = await run_function(FUNCTION, {"url": server.url}, services)
        reset.set()
    await services.resources.aclose()
    gc.collect()
    if whole:
        assert result["body"] == "abcde"
    else:
        assert result["error"].startswith(BROKEN)
    assert logged == []


@pytest.mark.parametrize(
    "answer",
    [
        endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
        endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" * 100),
        endless(CHUNKED + b"5;", b"a" * 10_000),
        endless(b"", b"\r\n" * 10_000),
    ],
)
async def test_a_flood_that_never_becomes_an_answer_ends_with_the_time(services: HostServices, answer: Answer) -> None:
    assert await error_of(services, answer, timeout_ms=300) == "timed out after 300 ms"


@pytest.mark.parametrize("head", [OK, OK + b"Content-Length: 1000000\r\n\r\n", CHUNKED + b"5;"])
async def test_an_answer_that_comes_byte_by_byte_ends_with_the_time(services: HostServices, head: bytes) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"1")
            await writer.drain()
            await asyncio.sleep(0.01)

    assert await error_of(services, drip, timeout_ms=300) == "timed out after 300 ms"


async def test_a_switch_of_protocols_that_nobody_asked_for_is_an_answer(services: HostServices) -> None:
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n"
    async with serve_raw(endless(head, b"not http")) as server:
        result = await run_function(FUNCTION, {"url": server.url}, services)
        await server.hung_up.wait()
    assert (result["status"], result["body"]) == (101, "")


async def test_headers_that_are_not_utf_8_are_told(services: HostServices) -> None:
    head = (
        OK + b"X-A: gr\xfcn\r\nX-A: \xed\xa0\x80\r\nContent-Type: ;;;=\xff; charset=\xff\r\nContent-Length: 2\r\n\r\n{}"
    )
    async with serve_raw(once(head)) as server:
        result = await run_function(FUNCTION, {"url": server.url}, services)
    assert result["headers"]["x-a"] == "gr\ufffdn, \ufffd\ufffd\ufffd"
    assert result["body"] == "{}"


async def test_a_certificate_that_is_not_trusted_is_told_in_words(services: HostServices, tmp_path: Path) -> None:
    command = "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=127.0.0.1 -days 1 -keyout key.pem -out cert.pem"
    assert (await finished(*command.split(), cwd=tmp_path, env=os.environ))[0] == 0
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    try:
        trusted = await run_function(FUNCTION, {"url": f"https://127.0.0.1:{port}/"}, services)
    finally:
        server.close()
    assert trusted["error"].startswith(f"the TLS certificate of 127.0.0.1:{port} is not trusted: self")
    async with serve_raw(once(b"no TLS"), wait_for=b"") as plain:
        url = plain.url.replace("http:", "https:")
        spoken = await run_function(FUNCTION, {"url": url}, services)
    assert spoken["error"].startswith(f"TLS with 127.0.0.1:{plain.port} failed: ")
    for error in (trusted["error"], spoken["error"]):
        assert not FOREIGN.search(error), error


async def test_why_there_is_no_connection_is_told_in_words(services: HostServices) -> None:
    async with serve_raw(once(b"")) as server:
        pass
    refused = await run_function(FUNCTION, {"url": server.url}, services)
    assert refused["error"] == f"cannot connect to 127.0.0.1:{server.port}: Connection refused"
    unknown = await run_function(FUNCTION, {"url": "http://no-such-host.invalid/"}, services)
    assert unknown["error"].startswith("cannot connect to no-such-host.invalid:80: ")
    assert not FOREIGN.search(unknown["error"])
