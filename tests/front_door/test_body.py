"""Bodies of requests: bounds, JSON, and fields."""

import asyncio
from collections.abc import Callable
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors.front_door.refusal import Refused
from chidori_actors.front_door.request_body import BodyFields, read_bytes, read_fields, unpacked
from chidori_actors.settings import Settings

from .small_app import bare, served

LIMIT = 1000


def app(*, optional: bool = False) -> web.Application:
    async def fields(request: web.Request) -> web.StreamResponse:
        return web.json_response(dict((await read_fields(request, optional=optional)).values))

    async def size(request: web.Request) -> web.StreamResponse:
        return web.json_response(len(unpacked(request, await read_bytes(request))))

    made = bare(Settings(max_body_bytes=LIMIT))
    made.router.add_post("/", fields)
    made.router.add_post("/bytes", size)
    return made


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'{"input": 1}', 200),
        (b' {"a": "\\ud83d"} ', 200),
        (b"", 400),
        (b"{", 400),
        (b'{"a": 1} x', 400),
        (b'{"a": NaN}', 400),
        (b'{"a": Infinity}', 400),
        (b"\xff\xfe", 400),
        (b'{"a": "\xff"}', 400),
        (b"[" * 900, 400),
        (b"[]", 422),
        (b"null", 422),
        (b'"text"', 422),
        (b"3", 422),
    ],
)
async def test_a_body_is_a_json_object_or_refused(body: bytes, status: int) -> None:
    async with served(app()) as send:
        told = await send("POST", "/", data=body)
    assert told.status == status
    if status != 200:
        assert list(told.json) == ["error"]


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"input": 1e999}', "input` is Infinity"),
        (b'{"input": {"a": [0, -1e999]}}', "input.a[1]` is -Infinity"),
        (b'{"replay_from": [{"args": {"not a name": 1e400}}]}', 'replay_from[0].args["not a name"]` is Infinity'),
    ],
)
async def test_a_number_that_would_become_null_is_refused_with_its_place(body: bytes, fault: str) -> None:
    async with served(app()) as send:
        told = await send("POST", "/", data=body)
    assert (told.status, told.json) == (422, {"error": f"`{fault}, which JSON cannot carry"})


async def test_no_body_is_the_empty_object_where_it_may_be_left_out() -> None:
    async with served(app(optional=True)) as send:
        assert (await send("POST", "/")).json == {}
        assert (await send("POST", "/", data=b" \n")).json == {}
        assert (await send("POST", "/", data=b"[]")).status == 422


async def test_a_body_may_be_as_large_as_the_limit_and_no_larger() -> None:
    async def chunks() -> Any:
        for _ in range(LIMIT + 1):
            yield b"x"

    async with served(app()) as send:
        assert (await send("POST", "/bytes", data=b"x" * LIMIT)).json == LIMIT
        for body in (b"x" * (LIMIT + 1), chunks()):
            told = await send("POST", "/bytes", data=body)
            assert (told.status, told.json) == (413, {"error": f"the body is larger than {LIMIT} bytes"})


async def test_the_limit_counts_what_a_compressed_body_expands_to() -> None:
    async with served(app()) as send:
        told = await send("POST", "/bytes", data=b"x" * (50 * LIMIT), compress="deflate")
        broken = await send("POST", "/bytes", data=b"not deflated at all", headers={"Content-Encoding": "deflate"})
    assert told.status == 413
    assert (broken.status, list(broken.json)) == (400, ["error"])


async def test_a_body_with_broken_chunks_is_refused() -> None:
    async with served(app()) as send:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(send.url.rpartition(":")[2]))
        writer.write(b"POST /bytes HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
        await writer.drain()
        writer.write(b"nonsense\r\n")
        await writer.drain()
        async with asyncio.timeout(30):
            answer = await reader.readline()
        writer.close()
    assert b" 400 " in answer


def refusal(read: Callable[[str], object]) -> str:
    """What the field ``a`` is refused with."""
    with pytest.raises(Refused) as caught:
        read("a")
    assert caught.value.status == 422
    return str(caught.value)


def test_fields_of_the_right_kind_are_taken() -> None:
    fields = BodyFields({"text": "a", "none": None, "number": 3, "whole": 3.0, "yes": True, "any": [1, {"b": None}]})
    assert (fields.text("text"), fields.optional_text("none"), fields.optional_text("absent")) == ("a", None, None)
    assert (fields.optional_number("number"), fields.optional_number("none")) == (3, None)
    assert fields.optional_number("whole") == 3
    assert isinstance(fields.optional_number("whole"), int)
    assert (fields.flag("yes"), fields.flag("none"), fields.flag("absent")) == (True, False, False)
    assert orjson.loads(fields.json("any")) == [1, {"b": None}]
    assert fields.json("none") == b"null"


def test_fields_of_another_kind_are_named() -> None:
    wrong: list[Any] = [1, [], {}, True]
    for value in wrong:
        assert refusal(BodyFields({"a": value}).text) == "`a` must be a string"
    wrong = [-1, 1.5, "1", True, 2**53, float("inf")]
    for value in wrong:
        assert refusal(BodyFields({"a": value}).optional_number) == "`a` must be a whole number from 0 on"
    wrong = [0, "true", []]
    for value in wrong:
        assert refusal(BodyFields({"a": value}).flag) == "`a` must be true or false"


def test_fields_that_must_be_there_are_named() -> None:
    assert refusal(BodyFields({}).text) == "`a` is missing"
    assert refusal(BodyFields({"a": None}).text) == "`a` is missing"
    assert refusal(BodyFields({}).json) == "`a` is missing"


def test_a_value_too_deep_for_the_store_is_refused() -> None:
    deep: Any = 1
    for _ in range(600):
        deep = [deep]
    assert refusal(BodyFields({"a": deep}).json).startswith("`a` cannot be taken: ")
