"""Cancelling a session, or a part of it that the rest goes on without."""

import asyncio
from collections.abc import Mapping
from typing import Any

from ..errors import ManifestMismatch, NotResumable
from ..journal.actors import ActorMeta, changed_actors
from ..journal.lanes import Retried, Settled, Started, read_lane
from ..journal.runs import RunMeta
from ..journal.store import Store
from ..runtime import RunResult, Runtime
from ..session.live_parts import ABORTED, Part
from ..turns import Turns
from .live_runs import Handle
from .live_session import LiveSession
from .refusal import Refused
from .sessions import Sessions

_CANCELLED = "cancelled"
_LOOK_SECONDS = 1.0
"""So often a part is told to end that has not ended yet: an actor that is being moved has not heard it."""
_PATIENCE_S = 20.0
_UNSEEN_S = 2.0
"""A call that may be repeated is in the store when something else of its actor is: so long it may be missing."""


class CancelledSessions:
    """Cancels the ``sessions`` of one server."""

    def __init__(self, runtime: Runtime, sessions: Sessions) -> None:
        self._runtime = runtime
        self._sessions = sessions
        self._runs = sessions.runs

    async def cancel(self, session_id: str, reason: str | None) -> tuple[Handle, bool]:
        """Cancel a session and everything inside of it; and whether it was under way.

        Raises:
            Refused: it has ended, or somebody else is about to change it.
        """
        session = await self._sessions.reachable(session_id)
        meta = self._sessions.meta(session_id)
        if session is not None:
            if session.is_answering:
                raise Refused(409, "Session is being resumed")
            session.cancel(reason or _CANCELLED)
            return Handle(session_id, session), True
        if meta.status not in ("running", "paused", "awaitingapproval"):
            raise Refused(409, f"Session already {meta.status}")

        cancelled = reason or _CANCELLED

        async def work(session: LiveSession) -> RunResult:
            try:
                return await self._runtime.resume(meta.id, attendance=session.attendance())
            except (ManifestMismatch, NotResumable):
                # It cannot be continued only to be ended, so nothing of what was under way is recorded.
                return await self._runtime.give_up(meta.id, cancelled, cancelled=True)

        handle = await self._runs.begin(session_id, meta.agent, work, before=lambda session: session.cancel(cancelled))
        return handle, False

    async def cancel_part(self, session_id: str, part: Part, reason: str | None) -> RunMeta:
        """Cancel a part of a session that is under way, and wait until that is recorded; how the session stands then.
        The agent gets an ``AbortError`` with ``reason``, which it may catch.

        Raises:
            Refused: neither the session nor that part of it is under way, or it does not end.
        """
        session = await self._sessions.reachable(session_id)
        meta = self._sessions.meta(session_id)
        if session is None:
            raise Refused(409, "Session is not under way")
        ends = _PartOfRecord(self._runtime.store, meta.lane, part)
        if await ends.has_ended():
            raise _not_under_way(part)
        await self._until_ended(session, ends, part, reason or _CANCELLED)
        return self._sessions.meta(session_id)

    async def _until_ended(self, session: LiveSession, ends: "_PartOfRecord", part: Part, reason: str) -> None:
        now = asyncio.get_running_loop().time
        began = now()
        while True:
            news, at_rest = session.news, session.rested.done()
            session.abort(part, reason)
            if await ends.has_ended():
                if not ends.is_cancelled:
                    raise Refused(409, f"{_name(part)} has ended by itself")
                return
            if ends.is_timer:
                hint = "cancel the actor that waits for it, or the whole session"
                raise Refused(409, f"{_name(part)} is a timer, whose end the agent could not catch", hint=hint)
            if at_rest or (not ends.is_known and now() - began > _UNSEEN_S):
                raise _not_under_way(part)
            if now() - began > _PATIENCE_S:
                raise Refused(409, f"{_name(part)} has not ended yet", hint="ask again, or cancel the whole session")
            try:
                async with asyncio.timeout(_LOOK_SECONDS):
                    await news.wait()
            except TimeoutError:
                continue


class _PartOfRecord:
    """What the store has of a part of a run; each entry is read once. ``is_known``: it has begun; ``is_cancelled``: it
    has ended because somebody ended it. ``is_timer``: it is a call that cannot be ended alone."""

    def __init__(self, store: Store, root: int, part: Part) -> None:
        self._store = store
        self._root = root
        self._part = part
        self._read = {root: 0}
        self._call: tuple[int, int] | None = None
        self._call_ended = False
        self.is_known = False
        self.is_cancelled = False
        self.is_timer = False

    async def has_ended(self) -> bool:
        """Whether it is there, and has ended.

        Raises:
            StoreError: an entry of the run is damaged.
        """
        # Without what they were given and gave, which may be large.
        actors = list(changed_actors(self._store, self._root, {}))
        if self._part.actor is not None:
            return self._has_actor_ended(actors)
        for actor in actors:
            if actor.status == "running":
                self._read.setdefault(actor.lane, 0)
        turns = Turns()
        for lane, at in self._read.items():
            for entry in read_lane(self._store, lane, start=at, blobs=False):
                self._hear(lane, entry)
                self._read[lane] += 1
                await turns.over()
        return self._call_ended

    def _has_actor_ended(self, actors: list[ActorMeta]) -> bool:
        meant = [actor for actor in actors if actor.path == self._part.actor]
        self.is_known = bool(meant)
        self.is_cancelled = any(actor.status == "cancelled" or _is_aborted(actor.error) for actor in meant)
        return self.is_known and all(actor.status != "running" for actor in meant)

    def _hear(self, lane: int, entry: object) -> None:
        if isinstance(entry, Started) and entry.seq == self._part.seq:
            self._call = lane, entry.ordinal
            self.is_timer = entry.function == "timer"
            self.is_known = True
        elif isinstance(entry, Settled) and (lane, entry.ordinal) == self._call:
            self._call_ended = True
            self.is_cancelled = entry.cancelled is not None or _is_aborted(entry.error)
        elif isinstance(entry, Retried):
            self._call_ended = False


def _is_aborted(error: Mapping[str, Any] | None) -> bool:
    return error is not None and error.get("name") == ABORTED


def _name(part: Part) -> str:
    return f"call #{part.seq}" if part.actor is None else f"actor {part.actor}"


def _not_under_way(part: Part) -> Refused:
    return Refused(409, f"{_name(part)} is not under way")
