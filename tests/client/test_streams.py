"""Event streams: every event once and in order, whatever happens to the connection."""

import asyncio
from typing import Any

import pytest

from chidori_actors.client import ClientError, Conflict, ConnectionFailed, NotFound, Retries, ServerBusy, Timeouts

from .both import Client, Connect
from .script import as_json, as_stream, as_text, body, break_connection, dropped, frame, lines, scripted, view

CALL = frame(1, "call", seq=1, function="log", args={}, result=None)
START = frame(2, "prompt_start", stream_id="p", seq=2, prompt_type="draft", model="m")
DELTA = frame(3, "prompt_delta", stream_id="p", seq=2, prompt_type="draft", delta="Grüße 🐦\n\n")
END = frame(4, "prompt_end", stream_id="p", seq=2, prompt_type="draft", error=None)
DONE = frame(5, "done", id="s1", status="completed", output={"ok": True})
WHOLE = CALL + START + DELTA + END + DONE
TYPES = ["call", "prompt_start", "prompt_delta", "prompt_end", "done"]


async def collect(client: Client, name: str, *args: Any, **options: Any) -> list[dict[str, Any]]:
    return [event async for event in client.items(name, *args, **options)]


async def test_stream_yields_the_events_with_their_types(client_of: Connect) -> None:
    async with scripted(as_stream(WHOLE)) as server:
        events = await collect(client_of(server.url), "stream", {"a": 1}, session_id="s1", agent="b.ts")
    assert [event["type"] for event in events] == TYPES
    assert events[0] == {"type": "call", "seq": 1, "function": "log", "args": {}, "result": None, "event_id": 1}
    assert events[2]["delta"] == "Grüße 🐦\n\n"
    assert events[4] == {"type": "done", "id": "s1", "status": "completed", "output": {"ok": True}}
    assert lines(server) == ["POST /sessions/stream"]
    assert body(server, 0) == {"input": {"a": 1}, "session_id": "s1", "agent": "b.ts"}


async def test_a_stream_in_single_bytes_with_comments_is_the_same(client_of: Connect) -> None:
    text = b": hello\n\n" + CALL + b":\n" + START + b"retry: 5\n\n" + DELTA.replace(b"\n", b"\r\n") + END + DONE
    async with scripted(as_stream(*(text[at : at + 1] for at in range(len(text)))), as_stream(WHOLE)) as server:
        client = client_of(server.url)
        assert await collect(client, "stream", {}) == await collect(client, "stream", {})


@pytest.mark.parametrize("cut", range(0, len(WHOLE), 7))
@pytest.mark.parametrize("drop", [True, False])
async def test_a_stream_that_ends_anywhere_goes_on_where_it_was(client_of: Connect, cut: int, drop: bool) -> None:
    async with scripted(as_stream(WHOLE)) as server:
        expected = await collect(client_of(server.url), "attach", "s1")

    async def rest(request: Any) -> Any:
        after = int(request.headers.get("Last-Event-ID", "0"))
        return await as_stream(b"".join((CALL, START, DELTA, END, DONE)[after:]))(request)

    async with scripted(as_stream(WHOLE[:cut], drop=drop), rest) as server:
        assert await collect(client_of(server.url), "stream", {}, session_id="s1") == expected
    assert lines(server) == ["POST /sessions/stream", "GET /sessions/s1/stream"]


async def test_events_that_are_sent_again_are_dropped(client_of: Connect) -> None:
    async with scripted(as_stream(CALL + START, drop=True), as_stream(WHOLE)) as server:
        events = await collect(client_of(server.url), "attach", "s1", after=1)
    assert [event["type"] for event in events] == TYPES[1:]
    assert [request.headers["last-event-id"] for request in server.received] == ["1", "2"]


async def test_done_is_never_taken_for_an_event_that_was_seen(client_of: Connect) -> None:
    """It is made for each stream, so it may have the id of an event."""
    async with scripted(as_stream(frame(7, "done", id="s1", status="paused", pending_seq=3))) as server:
        events = await collect(client_of(server.url), "attach", "s1", after=7)
    assert events == [{"type": "done", "id": "s1", "status": "paused", "pending_seq": 3}]


async def test_nothing_comes_after_done(client_of: Connect) -> None:
    async with scripted(as_stream(DONE + CALL)) as server:
        assert [event["type"] for event in await collect(client_of(server.url), "attach", "s1")] == ["done"]


async def test_a_start_that_was_not_answered_is_repeated_with_its_key(client_of: Connect) -> None:
    busy = as_json({"error": "busy"}, 503)
    async with scripted(dropped, busy, as_stream(CALL, drop=True), dropped, busy, as_stream(START + DONE)) as server:
        events = await collect(client_of(server.url), "stream", {"a": 1})
    assert [event["type"] for event in events] == ["call", "prompt_start", "done"]
    starts = server.received[:3]
    assert len({(request.path, request.headers["idempotency-key"], request.body) for request in starts}) == 1
    session_id = body(server, 0)["session_id"]
    assert lines(server)[3:] == [f"GET /sessions/{session_id}/stream"] * 3


async def test_a_stream_lasts_as_long_as_events_come(client_of: Connect) -> None:
    """Each connection brings one event: as many drops as it takes are no reason to give up."""
    pieces = [as_stream(frame(number, "call", seq=number), drop=True) for number in range(1, 41)]
    async with scripted(*pieces, as_stream(frame(41, "done", id="s1", status="completed"))) as server:
        events = await collect(client_of(server.url), "attach", "s1")
    assert [event.get("seq") for event in events] == [*range(1, 41), None]


async def test_a_stream_that_brings_nothing_is_given_up_with_the_place(client_of: Connect) -> None:
    async with scripted(as_stream(CALL, drop=True), *[as_stream(b":\n", drop=True)] * 8) as server:
        items = client_of(server.url).items("stream", {}, session_id="s1")
        assert (await anext(items))["type"] == "call"
        with pytest.raises(ConnectionFailed) as caught:
            await anext(items)
    assert "attach('s1', after=1)" in str(caught.value.hint)


async def test_comments_say_that_the_run_is_alive(client_of: Connect) -> None:
    quiet = [as_stream(b":\n", b":\n", drop=True)] * 20
    async with scripted(*quiet, as_stream(DONE)) as server:
        assert len(await collect(client_of(server.url), "attach", "s1")) == 1


async def test_a_silent_stream_is_opened_again(client_of: Connect) -> None:
    async def stuck(request: Any) -> Any:
        response = await as_stream(CALL)(request)
        await asyncio.Event().wait()
        return response

    async with scripted(stuck, as_stream(DONE)) as server:
        events = await collect(client_of(server.url, timeouts=Timeouts(idle=0.1)), "attach", "s1")
    assert [event["type"] for event in events] == ["call", "done"]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (as_json({"error": "Session not found"}, 404), NotFound),
        (as_json({"error": "session s1 exists"}, 409), Conflict),
        (as_text("<html>", 200), ClientError),
        (as_json(view("s1"), 201), ClientError),
        (as_json({"error": "later"}, 503, Retry_After="99"), ServerBusy),
    ],
)
async def test_a_refusal_ends_the_stream(client_of: Connect, answer: Any, kind: type[ClientError]) -> None:
    async with scripted(answer, as_stream(CALL, drop=True), answer) as server:
        client = client_of(server.url)
        with pytest.raises(kind):
            await collect(client, "attach", "s1")
        with pytest.raises(kind):
            await collect(client, "stream", {}, session_id="s1")


@pytest.mark.parametrize("text", [b"event: call\ndata: {]\n\n", b"event: call\ndata: 5\n\n", b"id: x\ndata: {}\n\n"])
async def test_an_event_that_cannot_be_read_is_an_error_and_no_reason_to_try_again(
    client_of: Connect, text: bytes
) -> None:
    async with scripted(as_stream(text)) as server:
        with pytest.raises(ClientError, match="cannot be read"):
            await collect(client_of(server.url), "attach", "s1")


async def test_one_event_of_many_megabytes_arrives_whole(client_of: Connect) -> None:
    text = "é" * (4 << 20)
    async with scripted(as_stream(frame(1, "call", result=text) + DONE)) as server:
        events = await collect(client_of(server.url), "attach", "s1")
    assert events[0]["result"] == text


async def test_a_caller_that_stops_listening_closes_the_connection(client_of: Connect) -> None:
    gone = asyncio.Event()

    async def watched(request: Any) -> Any:
        try:
            await as_stream(CALL)(request)
            await asyncio.Event().wait()
        finally:
            gone.set()

    async with scripted(watched) as server:
        items = client_of(server.url).items("attach", "s1")
        assert (await anext(items))["type"] == "call"
        await items.aclose()
        await asyncio.wait_for(gone.wait(), 10)


async def test_wait_returns_the_session_once_it_rests(client_of: Connect) -> None:
    answers = (
        as_json(view("s1", "running"), 202),
        as_stream(CALL, drop=True),
        as_stream(frame(2, "done", id="s1", status="paused")),
        as_json(view("s1", "paused", pending_seq=2)),
    )
    async with scripted(*answers) as server:
        client = client_of(server.url)
        session = await client.of(await client.call("run", {}, wait=False), "wait")
    assert (session.status, session.pending_seq) == ("paused", 2)
    assert lines(server)[1:] == ["GET /sessions/s1/stream", "GET /sessions/s1/stream", "GET /sessions/s1"]


async def test_no_retries_means_none(client_of: Connect) -> None:
    async def broken(request: Any) -> Any:
        break_connection(request)
        return await as_stream()(request)

    async with scripted(broken) as server:
        with pytest.raises(ConnectionFailed):
            await collect(client_of(server.url, retries=Retries((), ())), "stream", {})
