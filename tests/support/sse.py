"""Event streams as the wire contract writes them, read strictly and independently of the clients."""

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import orjson
from aiohttp import ClientResponse

_FRAME = re.compile(rb"id: (\d+)\nevent: (\w+)\ndata: ([^\n\r]*)\Z")


@dataclass(frozen=True, slots=True)
class Frame:
    """One event."""

    id: int
    event: str
    data: Any


async def frames(response: ClientResponse) -> AsyncIterator[Frame]:
    """The events of a stream as they come, comments left out; a malformed frame fails the test."""
    assert response.status == 200, await response.text()
    assert response.content_type == "text/event-stream"
    rest = b""
    async for piece in response.content.iter_any():
        *whole, rest = (rest + piece).split(b"\n\n")
        for text in whole:
            if not text.startswith(b":"):
                found = _FRAME.match(text)
                assert found is not None, text
                yield Frame(int(found[1]), found[2].decode(), orjson.loads(found[3]))
    assert rest == b"", rest


def check_stream(seen: Sequence[Frame]) -> None:
    """What holds for every whole stream: ids ascend, `done` is last, each prompt's start, deltas and end in order, and
    its `call` behind them; no call twice."""
    ids = [frame.id for frame in seen if frame.event != "done"]
    assert all(before < after for before, after in pairwise(ids)), ids
    assert [frame.event for frame in seen].index("done") == len(seen) - 1
    assert not ids or seen[-1].id == ids[-1]
    open_streams: dict[str, int] = {}
    ended: dict[int, list[str | None]] = {}
    calls: set[str] = set()
    for frame in seen:
        data = frame.data
        if frame.event == "prompt_start":
            assert data["stream_id"] not in open_streams
            open_streams[data["stream_id"]] = data["seq"]
        elif frame.event == "prompt_delta":
            assert open_streams[data["stream_id"]] == data["seq"]
        elif frame.event == "prompt_end":
            ended.setdefault(open_streams.pop(data["stream_id"]), []).append(data["error"])
        elif frame.event == "call":
            assert data["path"] not in calls, f"{data['path']} came twice"
            calls.add(data["path"])
            assert data["seq"] not in open_streams.values(), f"call {data['seq']} came before its prompt_end"
            if data["function"] == "prompt" and "error" not in data:
                assert ended[data["seq"]][-1] is None
    assert not open_streams, open_streams


def texts(seen: Sequence[Frame]) -> dict[str, str]:
    """What each prompt stream said."""
    said: dict[str, str] = {}
    for frame in seen:
        if frame.event == "prompt_delta":
            said[frame.data["stream_id"]] = said.get(frame.data["stream_id"], "") + frame.data["delta"]
    return said
