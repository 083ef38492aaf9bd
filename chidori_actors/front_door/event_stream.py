"""Streams of a session's events (wire contract, section 2): all from a number on, past ones first, ``done`` last."""

import asyncio
from collections.abc import AsyncIterator

from aiohttp import web

from .. import exact_json
from ..journal.events import read_events
from ..journal.store import Store
from .recorded_events import event_data, replayed_calls
from .sessions import Sessions
from .views import done_event

_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "X-Accel-Buffering": "no",
}
_COMMENT = b": still here\n\n"
_COMMENT_SECONDS = 15.0
_LOOK_SECONDS = 1.0
"""So often a run is looked at that is under way somewhere else."""
_WRITE_SECONDS = 60.0
"""A client that takes nothing for so long is let go; it can attach again."""


async def stream_session(
    request: web.Request, sessions: Sessions, store: Store, session_id: str, after: int
) -> web.StreamResponse:
    """Answer with the session's events behind number ``after``; the session does not notice whether anybody reads."""
    sessions.meta(session_id)
    response = web.StreamResponse(headers=_HEADERS)
    await response.prepare(request)
    try:
        async for frame in _frames(sessions, store, session_id, after):
            async with asyncio.timeout(_WRITE_SECONDS):
                await response.write(frame)
        await response.write_eof()
    except (ConnectionError, TimeoutError):
        if request.transport is not None:
            request.transport.abort()
    return response


async def _frames(sessions: Sessions, store: Store, session_id: str, after: int) -> AsyncIterator[bytes]:
    last = after
    for number, data in replayed_calls(store, sessions.meta(session_id), after=after):
        last = number
        yield _frame(number, "call", data)
    while True:
        session = await sessions.live(session_id)
        # Before the store is read: what comes in between is news.
        news = None if session is None else session.news
        meta = sessions.meta(session_id)
        for number, event in read_events(store, meta.lane, after=last):
            name, data = event_data(store, meta, event)
            last = number
            yield _frame(number, name, data)
        if news is None and meta.status != "running":
            # Not stored, so it has the id of the last that is: whoever attaches again behind it misses nothing.
            yield _frame(last, "done", exact_json.dumps(done_event(meta)))
            return
        if news is None and sessions.runs.is_closing:
            # Cut, so that nobody takes the stream for whole: it goes on when the server is started again.
            raise ConnectionAbortedError("the server is stopping")
        if news is None:
            # Another process has it, or it waits to be taken up.
            await asyncio.sleep(_LOOK_SECONDS)
            continue
        while not news.is_set():
            try:
                async with asyncio.timeout(_COMMENT_SECONDS):
                    await news.wait()
            except TimeoutError:
                yield _COMMENT


def _frame(number: int, name: str, data: bytes) -> bytes:
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (number, name.encode(), data)
