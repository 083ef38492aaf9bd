"""The sessions of a server: what clients may do with them, whether their runs are under way or at rest."""

import asyncio
import contextlib
import uuid

from ..branch_points import Edit
from ..errors import ManifestMismatch, NotResumable, ReplayDivergence, RunNotFound
from ..history import is_running
from ..journal.call_count import has_progressed
from ..journal.runs import RunMeta, get_run, list_runs
from ..runtime import RunResult, Runtime
from .live_runs import Handle, LiveRuns
from .live_session import LiveSession
from .refusal import Refused, not_found

_MOST_TRIES = 3
"""So many lives in a row may a session have in which no call ends."""


class Sessions:
    """One per server; ``runs`` are those that are under way."""

    def __init__(self, runtime: Runtime, runs: LiveRuns) -> None:
        self._runtime = runtime
        self.runs = runs

    # -- looking ----------------------------------------------------------------------------------------------------

    def meta(self, session_id: str) -> RunMeta:
        """What the store knows of a session; its whole id is needed.

        Raises:
            Refused: there is none.
        """
        try:
            meta = get_run(self._runtime.store, session_id)
        except RunNotFound:
            raise not_found() from None
        if meta.id != session_id:
            raise not_found()
        return meta

    async def live(self, session_id: str) -> LiveSession | None:
        """The session when its run is under way: here, or somewhere else where it can be attended."""
        session = self.runs.get(session_id)
        if session is not None:
            return session
        meta = self.meta(session_id)
        if meta.status != "running" or not await self._runtime.is_attendable(session_id):
            return self.runs.get(session_id)

        async def work(session: LiveSession) -> RunResult:
            return await self._runtime.attend(session_id, session.attendance())

        with contextlib.suppress(Refused):  # it has come to rest in the meantime
            if self.runs.get(session_id) is None:  # somebody else may have asked for it at the same time
                await self.runs.begin(session_id, meta.agent, work, attending=True)
            await self.runs.begun(session_id)
        return self.runs.get(session_id)

    async def reachable(self, session_id: str) -> LiveSession | None:
        """The session when its run is under way, and not about to rest."""
        while (session := await self.live(session_id)) is not None and session.is_pausing:
            await asyncio.wait([session.rested])
        return session

    async def at_rest(self, handle: Handle) -> RunMeta:
        """Wait until nothing of the session can go on by itself; how it stands then.

        Raises:
            Refused: its run could not be continued.
        """
        if handle.session is None:
            return self.meta(handle.id)
        return (await self.runs.result(handle.session)).meta

    # -- from the record of another ---------------------------------------------------------------------------------

    async def branch(self, session_id: str, edit: Edit) -> Handle:
        """A new session with the history of this one before the record that answers differently in it.

        Raises:
            Refused: the record cannot have that outcome.
        """
        agent = self.meta(session_id).agent
        new_id = str(uuid.uuid4())

        async def work(session: LiveSession) -> RunResult:
            return await self._runtime.branch(
                session_id,
                edit.at,
                result=edit.result,
                error=edit.error,
                note=edit.note,
                new_id=new_id,
                served=True,
                attendance=session.attendance(),
            )

        return await self.runs.begin(new_id, agent, work)

    async def replay(self, session_id: str) -> Handle:
        """A new session with this one's whole record, run again from it alone.

        Raises:
            Refused: this one is not at rest.
        """
        agent = self.meta(session_id).agent
        new_id = str(uuid.uuid4())

        async def work(session: LiveSession) -> RunResult:
            return await self._runtime.replay_as(session_id, new_id, served=True, attendance=session.attendance())

        return await self.runs.begin(new_id, agent, work)

    # -- the server's life ------------------------------------------------------------------------------------------

    async def take_up(self) -> None:
        """Continue the sessions that a server had created and that were interrupted; those that are under way where
        they can be attended, are."""
        cursor: str | None = None
        while True:
            page = list_runs(self._runtime.store, status="running", cursor=cursor)
            for meta in page.runs:
                if not meta.served or await self.live(meta.id) is not None:
                    continue
                if not is_running(self._runtime.store, meta.id):
                    await self._take_up(meta)
            if page.next_cursor is None:
                return
            cursor = page.next_cursor

    async def _take_up(self, meta: RunMeta) -> None:
        async def work(session: LiveSession) -> RunResult:
            if meta.tries >= _MOST_TRIES and not has_progressed(self._runtime.store, meta):
                reason = f"it was interrupted {meta.tries} times, each time before another call had ended"
                return await self._runtime.give_up(meta.id, reason)
            try:
                return await self._runtime.resume(meta.id, attendance=session.attendance())
            except (ManifestMismatch, NotResumable, ReplayDivergence) as error:
                # Anything else (a setting, a full disk) may be mended, and the run is as it was.
                return await self._runtime.give_up(meta.id, f"it was interrupted and cannot go on: {error}")

        with contextlib.suppress(Refused):  # it is as it was, and the log says why; the others are not to suffer
            await self.runs.begin(meta.id, meta.agent, work, patiently=True)
