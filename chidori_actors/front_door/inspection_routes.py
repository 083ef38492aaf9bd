"""What happens inside of a session: its timeline, its calls, one call (the reading side of the console)."""

import asyncio
import re
from typing import cast, get_args

from aiohttp import web

from ..errors import RunNotFound
from ..inspection.call_detail import call_detail
from ..inspection.call_list import CallFilter, list_calls
from ..inspection.picture import RunPicture
from ..inspection.pictured import State
from ..inspection.pictures import Pictures
from ..inspection.window import Window, timeline
from ..journal.store import Store
from .live_session import LiveSession
from .presence import while_connected
from .refusal import Refused, not_found
from .session_routes import answer
from .sessions import Sessions
from .views import question_view

MOST_LANES, MOST_WIDTH, MOST_CALLS, MOST_WAIT_SECONDS = 200, 10_000, 500, 25
LATEST = 2**53 - 1
_LOOK_SECONDS = 0.5
"""So often a run is looked at of which nothing tells that something happened."""
_STIR_SECONDS = 5.0
"""The same of one that tells; another process may have written to its store."""
_PAUSE_SECONDS = 0.05
"""The news of a run that is not under way here may be that of any other."""
_NUMBER = re.compile(r"[0-9]{1,16}")


class InspectionRoutes:
    """The handlers, by the names that the route table has for them."""

    def __init__(self, store: Store, sessions: Sessions, pictures: Pictures) -> None:
        self._store = store
        self._sessions = sessions
        self._pictures = pictures

    async def get_timeline(self, request: web.Request) -> web.Response:
        window = Window(
            first=query_number(request, "first", 0, LATEST),
            count=query_number(request, "count", 60, MOST_LANES),
            from_ms=_given_number(request, "from_ms"),
            to_ms=_given_number(request, "to_ms"),
            width=query_number(request, "width", 1200, MOST_WIDTH, least=1),
        )
        after = request.query.get("after") or None
        seconds = query_number(request, "wait", 0, MOST_WAIT_SECONDS)
        picture, _ = await self._changed(_id(request), after, seconds)
        if after == picture.version:
            return answer(200, {"version": picture.version, "unchanged": True})
        return answer(200, timeline(self._store, picture, window))

    async def list_calls(self, request: web.Request) -> web.Response:
        state, query = request.query.get("state"), request.query
        if state is not None and state not in get_args(State):
            raise Refused(422, f"`state` must be one of {', '.join(get_args(State))}")
        wanted = CallFilter(
            search=query.get("search") or None,
            function=query.get("function") or None,
            state=cast(State | None, state),
            actor=query.get("actor"),
        )
        offset = query_number(request, "offset", 0, LATEST)
        limit = query_number(request, "limit", 100, MOST_CALLS, least=1)
        picture, _ = await self._read(_id(request))
        found = list_calls(self._store, picture, wanted, offset=offset, limit=limit)
        return answer(200, await while_connected(request, found))

    async def get_call(self, request: web.Request) -> web.Response:
        picture, session = await self._read(_id(request))
        text = request.match_info["seq"]
        call = picture.contents.by_seq.get(int(text)) if _NUMBER.fullmatch(text) else None
        if call is None:
            raise Refused(404, f"the session has no call #{text}")
        whole = query_number(request, "whole", 0, 1) == 1
        told = None if session is None else session.under_way.get(call.path)
        view = call_detail(self._store, picture, call, told, whole=whole)
        asked = next((each for each in picture.questions if each["seq"] == call.seq), None)
        return answer(200, {**view, "question": None if asked is None else question_view(asked)})

    async def _read(self, session_id: str) -> tuple[RunPicture, LiveSession | None]:
        # Before its picture is taken: what comes in between is in there, or tells of itself.
        session = await self._sessions.live(session_id)
        self._sessions.meta(session_id)
        try:
            return await self._pictures.read(session_id, session), session
        except RunNotFound as error:
            raise not_found() if session_id in str(error) else error from None

    async def _changed(self, session_id: str, after: str | None, seconds: int) -> tuple[RunPicture, LiveSession | None]:
        """The picture once it is another than that of the version ``after``, or when so many seconds have gone by."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while True:
            session = self._sessions.runs.get(session_id)
            stirring = self._sessions.runs.news if session is None else session.stirring
            picture, found = await self._read(session_id)
            left = until - loop.time()
            if after != picture.version or left <= 0 or self._sessions.runs.is_closing:
                return picture, found
            try:
                async with asyncio.timeout(min(left, _LOOK_SECONDS if session is None else _STIR_SECONDS)):
                    await stirring.wait()
                    if session is None:
                        await asyncio.sleep(_PAUSE_SECONDS)
            except TimeoutError:
                continue


def _id(request: web.Request) -> str:
    return request.match_info["id"]


def query_number(request: web.Request, name: str, default: int, most: int, *, least: int = 0) -> int:
    """A whole number of the query.

    Raises:
        Refused: it is something else, or too small or large.
    """
    value = _given_number(request, name, most, least)
    return default if value is None else value


def _given_number(request: web.Request, name: str, most: int = LATEST, least: int = 0) -> int | None:
    text = request.query.get(name)
    if text is None:
        return None
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise Refused(422, f"`{name}` must be a whole number from {least} to {most}")
    return int(text)
