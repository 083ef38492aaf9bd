"""Bodies that unpack to too much, in encodings asked for or not, and bodies that are strange once unpacked."""

import gzip
import zlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.host.content_encoding import BodyDecoder, EncodingError, TooLarge
from chidori_actors.host.function import HostServices
from chidori_actors.host.http import FUNCTION
from chidori_actors.host.resources import Resources
from tests.support.process import run_python
from tests.support.raw_server import OK, endless, once, serve_raw
from tests.support.services import make_services, run_function

CAP = 1 << 20
TOO_LARGE = f"the body is larger than {CAP} bytes, the cap of CHIDORI_HTTP_MAX_BODY_BYTES"


@pytest.fixture
async def services(tmp_path: Path) -> AsyncIterator[HostServices]:
    environ = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1", "CHIDORI_HTTP_MAX_BODY_BYTES": str(CAP)}
    resources = Resources()
    yield make_services(tmp_path, environ=environ, resources=resources)
    await resources.aclose()


async def answer_to(services: HostServices, *pieces: bytes, **args: Any) -> Any:
    async with serve_raw(once(*pieces)) as server:
        return await run_function(FUNCTION, {"url": server.url, **args}, services)


def encoded(encoding: str, body: bytes) -> bytes:
    return OK + f"Content-Encoding: {encoding}\r\n\r\n".encode() + body


def packed(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)  # without the time, the tests' names stay the same


def raw_deflate(data: bytes) -> bytes:
    return zlib.compress(data)[2:-4]


TEXT = b"some text, " * 20_000
FORMS = {
    "gzip": packed(TEXT),
    "GZip": packed(TEXT),
    "x-gzip": packed(TEXT),
    "deflate": zlib.compress(TEXT),
    "deflate, identity": raw_deflate(TEXT),
    "gzip, gzip": packed(packed(TEXT)),
    "deflate,gzip": packed(zlib.compress(TEXT)),
    "gzip\r\nContent-Encoding: deflate": zlib.compress(packed(TEXT)),
    "identity": TEXT,
    "": TEXT,
}


@pytest.mark.parametrize("encoding", FORMS)
async def test_encodings_are_undone(services: HostServices, encoding: str) -> None:
    assert (await answer_to(services, encoded(encoding, FORMS[encoding])))["body"] == TEXT.decode()


@pytest.mark.parametrize("step", [1, 7, 65_536])
@pytest.mark.parametrize("form", ["gzip", "deflate", "deflate, identity", "gzip, gzip", "deflate,gzip"])
def test_a_body_is_the_same_however_it_is_cut(form: str, step: int) -> None:
    decoder = BodyDecoder(form, CAP)
    for start in range(0, len(FORMS[form]), step):
        decoder.feed(FORMS[form][start : start + step])
    assert decoder.finish() == TEXT


@pytest.mark.parametrize("size", [65_535, 65_536, 65_537, 2 * 65_536])
def test_a_body_of_whole_pieces_is_complete(size: int) -> None:
    data = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    decoder = BodyDecoder("gzip", size)
    decoder.feed(packed(data))
    assert decoder.finish() == data


def test_a_gzip_body_may_have_parts() -> None:
    decoder = BodyDecoder("gzip", CAP)
    for byte in packed(b"one") + packed(b"") + packed(b"two"):
        decoder.feed(bytes([byte]))
    assert decoder.finish() == b"onetwo"


def test_a_flood_of_empty_parts_is_refused() -> None:
    with pytest.raises(EncodingError, match="more than 1000 parts"):
        BodyDecoder("gzip", CAP).feed(packed(b"") * 2_000)


def test_what_an_inner_encoding_unpacks_to_counts_too() -> None:
    hidden = zlib.compress(b"") + b"\0"  # unpacks to nothing and is then broken, after much has been unpacked
    decoder = BodyDecoder("deflate, gzip", 100_000)
    with pytest.raises((TooLarge, EncodingError)):
        decoder.feed(packed(b"\0" * (1 << 20) + hidden))
    with pytest.raises(TooLarge):
        BodyDecoder("gzip, gzip", 50_000).feed(packed(packed(b"") * 900 + b"x" * 50_000) * 2)


@pytest.mark.parametrize("size", [CAP, CAP + 1])
@pytest.mark.parametrize("encoding", ["identity", "gzip", "deflate"])
async def test_the_cap_is_the_most_that_a_body_may_have(services: HostServices, encoding: str, size: int) -> None:
    body = b"x" * size
    sent = packed(body) if encoding == "gzip" else zlib.compress(body) if encoding == "deflate" else body
    answer = await answer_to(services, encoded(encoding, sent))
    if size == CAP:
        assert (answer["status"], len(answer["body"])) == (200, CAP)
    else:
        assert answer == {"status": 0, "headers": {}, "body": "", "error": TOO_LARGE}


@pytest.mark.parametrize("head", [b"", b"Transfer-Encoding: chunked\r\n", b"Content-Length: 99999999999\r\n"])
async def test_a_body_without_an_end_is_cut_and_its_connection_closed(services: HostServices, head: bytes) -> None:
    piece = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    async with serve_raw(endless(OK + head + b"\r\n", piece)) as server:
        answer = await run_function(FUNCTION, {"url": server.url}, services)
        assert answer["error"] == TOO_LARGE
        await server.hung_up.wait()


@pytest.mark.parametrize(
    ("encoding", "body", "error"),
    [
        ("br", b"\x0b\x02\x80hello\x03", "the body is sent as 'br', which http cannot decode: ask for gzip or deflate"),
        ("zstd", b"\x28\xb5\x2f\xfd", "the body is sent as 'zstd', which http cannot decode: ask for gzip or deflate"),
        ("gzip, br", b"x", "the body is sent as 'br', which http cannot decode: ask for gzip or deflate"),
        (", ".join(["gzip"] * 500), b"x", "the body is encoded 500 times; 3 is the most"),
        ("gzip", b"no gzip", "the body is sent as gzip, but is not valid"),
        ("gzip", packed(TEXT)[:-9], "the body is sent as gzip, but ended early"),
        ("gzip", packed(TEXT)[:5], "the body is sent as gzip, but ended early"),
        ("gzip", packed(TEXT)[:-8] + b"\0" * 8, "the body is sent as gzip, but is not valid"),
        ("gzip", packed(b"x") + b"rest", "the body is sent as gzip, but is not valid"),
        ("deflate", zlib.compress(TEXT)[:-1], "the body is sent as deflate, but ended early"),
        ("gzip, gzip", packed(packed(TEXT)[:-1]), "the body is sent as gzip, but ended early"),
    ],
)
async def test_what_cannot_be_unpacked_is_an_error_in_words(
    services: HostServices, encoding: str, body: bytes, error: str
) -> None:
    answer = await answer_to(services, encoded(encoding, body))
    assert answer == {"status": 0, "headers": {}, "body": "", "error": error}


async def test_no_body_may_name_any_encoding(services: HostServices) -> None:
    head = OK + b"Content-Encoding: br\r\nContent-Length: 1000\r\n\r\n"
    answer = await answer_to(services, head, method="HEAD")
    assert (answer["status"], answer["body"]) == (200, "")
    assert (await answer_to(services, OK + b"Content-Encoding: gzip\r\nContent-Length: 0\r\n\r\n"))["status"] == 200


async def test_only_what_can_be_bounded_is_asked_for(services: HostServices) -> None:
    async with serve_raw(once(OK + b"Content-Length: 0\r\n\r\n")) as server:
        await run_function(FUNCTION, {"url": server.url}, services)
        await run_function(FUNCTION, {"url": server.url, "headers": {"accept-encoding": "br"}}, services)
    asked = [
        line.lower()
        for head in server.heads
        for line in head.split(b"\r\n")
        if line.lower().startswith(b"accept-encoding")
    ]
    assert asked == [b"accept-encoding: gzip, deflate", b"accept-encoding: br"]


BOMBS = '''
import asyncio, gzip, resource, sys, zlib
from pathlib import Path
from chidori_actors.host.http import FUNCTION
from chidori_actors.host.resources import Resources
from tests.support.raw_server import OK, once, serve_raw
from tests.support.services import make_services, run_function

def zeros(wbits, megabytes):
    """A compressed stream without an end; one full flush is repeated, so that making it costs nothing."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wbits)
    head = packer.compress(b"") + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    return head + block * megabytes

bombs = {
    "identity": b"x" * 1000,
    "gzip": zeros(31, 4000),
    "deflate": zeros(15, 4000),
    "deflate, identity": zeros(-15, 4000),
    "gzip, gzip": gzip.compress(zeros(31, 4000)),
    "gzip, deflate, gzip": gzip.compress(zlib.compress(zeros(31, 4000))),
}

async def main():
    resources = Resources()
    services = make_services(Path("."), environ={"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}, resources=resources)
    for encoding, bomb in bombs.items():
        async with serve_raw(once(OK + f"Content-Encoding: {encoding}\\r\\n\\r\\n".encode(), bomb)) as server:
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            answer = await run_function(FUNCTION, {"url": server.url}, services)
            grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
            print(encoding.replace(" ", ""), len(bomb), grown >> 10, answer.get("error", ""), sep=";")
    await resources.aclose()

asyncio.run(main())
'''


def test_a_bomb_of_gigabytes_takes_no_more_memory_than_the_cap_and_a_little() -> None:
    done = run_python(BOMBS)
    assert done.stderr == ""
    lines = [line.split(";") for line in done.stdout.splitlines()]
    assert len(lines) == 6
    for encoding, _, megabytes, error in lines[1:]:
        assert error == "the body is larger than 16777216 bytes, the cap of CHIDORI_HTTP_MAX_BODY_BYTES", encoding
        assert int(megabytes) < 24, encoding


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b'["\\u0000", "a\\u0000b"]', ["\0", "a\0b"]),
        (b'["\xff\xed\xa0\x80"]', ["\ufffd" * 4]),
        (b'{"__proto__": {"a": 1}, "constructor": 2}', {"__proto__": {"a": 1}, "constructor": 2}),
        (b"[1e400]", "[1e400]"),
        (b"[-1e400, 1]", "[-1e400, 1]"),
        (b"[NaN]", "[NaN]"),
        (b"[" + b"7" * 100_000 + b"]", "[" + "7" * 100_000 + "]"),
        (b'["\\ud800", ' + b"7" * 100_000 + b"]", '["\\ud800", ' + "7" * 100_000 + "]"),
        (b"[0." + b"7" * 100_000 + b"]", [0.7777777777777778]),
        (b"[" * 100_000 + b"]" * 100_000, "[" * 100_000 + "]" * 100_000),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, '{"a":' * 100_000 + "1" + "}" * 100_000),
        (b'["\\ud800",' * 50_000 + b"]" * 50_000, '["\\ud800",' * 50_000 + "]" * 50_000),
        (b"[" * 400 + b"9" * 30 + b"]" * 400, "[" * 400 + "9" * 30 + "]" * 400),
    ],
)
async def test_strange_json_is_recorded(services: HostServices, body: bytes, expected: Any) -> None:
    answer = await answer_to(services, OK + b"Content-Type: application/json\r\n\r\n", body)
    assert answer["status"] == 200
    assert answer["body"] == expected
    orjson.dumps(answer)


@pytest.mark.parametrize("charset", ["punycode", "IDNA", "unicode_escape", "raw-unicode-escape", "undefined", "zip"])
async def test_what_is_a_charset_only_to_python_is_none(services: HostServices, charset: str) -> None:
    # The first two would take hours to decode this.
    body = b"a-" + b"99a" * 300_000
    answer = await answer_to(services, OK + f"Content-Type: text/plain; charset={charset}\r\n\r\n".encode(), body)
    assert answer["body"] == body.decode()
    escaped = await answer_to(services, OK + f"Content-Type: text/plain; charset={charset}\r\n\r\n\\x41".encode())
    assert escaped["body"] == "\\x41"
