"""The sessions of a server: what clients may do with them, whether their runs are under way or at rest."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson

from .. import exact_json
from ..answers import OpenQuestion
from ..errors import (
    ChidoriError,
    ManifestMismatch,
    NotResumable,
    ReplayDivergence,
    RunExists,
    RunNotFound,
    RunOwned,
    StoreError,
    UsageError,
)
from ..history import is_running
from ..journal.call_count import has_progressed
from ..journal.idempotency import run_of_key
from ..journal.runs import RunMeta, get_run, list_runs
from ..policy import Profile
from ..runtime import RunResult, Runtime
from ..transfer import import_checkpoint
from .agents import Agents
from .live_runs import Handle, LiveRuns
from .live_session import LiveSession
from .refusal import Refused, not_found

_KEYED = uuid.UUID("6b0f1a52-5d0c-4f43-9c1e-8f5b7d2f2a10")
_LOOK_S, _LOOKS = 0.05, 200
"""So a session is waited for that another server is beginning."""
_MOST_TRIES = 3
"""So many lives in a row may a session have in which no call ends."""


@dataclass(frozen=True, slots=True)
class NewSession:
    """A session that a client asks for; ``input`` is JSON text. The same ``key`` is the same session."""

    input: bytes
    id: str | None = None
    agent: str | None = None
    key: str | None = None
    attempt_number: int | None = None
    replay_from: Sequence[Any] | None = None
    policy_profile: Profile | None = None


class Sessions:
    """One per server; ``runs`` are those that are under way."""

    def __init__(self, runtime: Runtime, agents: Agents, runs: LiveRuns) -> None:
        self._runtime = runtime
        self._agents = agents
        self.runs = runs
        self._keys: dict[str, str] = {}
        """The sessions of idempotency keys that are not in the store yet."""

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

    # -- starting ---------------------------------------------------------------------------------------------------

    async def create(self, new: NewSession) -> Handle:
        """Start a session, which then is in the store. With a key that was seen, the session of then.

        Raises:
            Refused: the id is taken, or there is no slot.
        """
        agent = self._agents.load(new.agent)
        known = None if new.key is None else self._keys.get(new.key) or run_of_key(self._runtime.store, new.key)
        if known is not None:
            return await self._of_key(known)
        # The same key is the same id, so that of several servers of a store one alone can begin it.
        session_id = new.id or str(uuid.uuid4() if new.key is None else uuid.uuid5(_KEYED, new.key))
        if self.runs.get(session_id) is not None or self._runtime.store.get("runs", session_id.encode()) is not None:
            raise Refused(409, f"Session {session_id} exists already")

        async def work(session: LiveSession) -> RunResult:
            if new.replay_from is None:
                return await self._runtime.run(
                    agent.bundle,
                    agent.entry,
                    new.input,
                    run_id=session_id,
                    tool_folders=self._agents.tool_folders,
                    served=True,
                    attempt_number=new.attempt_number,
                    idempotency_key=new.key,
                    policy_profile=new.policy_profile,
                    attendance=session.attendance(),
                )
            checkpoint = {"session_id": session_id, "input": orjson.Fragment(new.input), "call_log": new.replay_from}
            try:
                data = exact_json.dumps(checkpoint)
                await import_checkpoint(self._runtime.store, data, run_id=session_id, revise=as_asked)
            except StoreError:
                raise
            except ChidoriError as error:
                raise UsageError(f"`replay_from`: {error}") from error
            try:
                return await self._runtime.resume(session_id, current=agent.bundle, attendance=session.attendance())
            except ReplayDivergence as error:
                # It is in the store, and nothing but other records could let it go on.
                return await self._runtime.give_up(session_id, str(error))

        def as_asked(meta: RunMeta) -> RunMeta:
            now_ms = int(time.time() * 1000)
            return replace(
                meta,
                agent=str(agent.entry),
                tool_folders=tuple(str(folder) for folder in self._agents.tool_folders),
                created_at_ms=now_ms,
                updated_at_ms=now_ms,
                served=True,
                attempt_number=new.attempt_number,
                idempotency_key=new.key,
                policy_profile=new.policy_profile,
            )

        name = str(agent.entry)
        if new.key is None:
            return await self.runs.begin(session_id, name, work)
        self._keys[new.key] = session_id
        try:
            return await self.runs.begin(session_id, name, work)
        except Refused as refusal:
            if _is_begun(refusal) and new.id is None:
                return await self._begun_elsewhere(session_id)
            raise
        finally:
            del self._keys[new.key]

    async def _of_key(self, session_id: str) -> Handle:
        """The session that stands for a key which was seen before."""
        if self.runs.get(session_id) is not None:
            try:
                return await self.runs.begun(session_id)
            except Refused as refusal:
                if not _is_begun(refusal):
                    raise
        return await self._begun_elsewhere(session_id)

    async def _begun_elsewhere(self, session_id: str) -> Handle:
        """The session that another server of the store has begun, or is beginning."""
        for _ in range(_LOOKS):
            if self._runtime.store.get("runs", session_id.encode()) is not None:
                break
            await asyncio.sleep(_LOOK_S)
        return Handle(session_id, await self.live(session_id))

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

    async def at_rest(self, handle: Handle) -> RunMeta:
        """Wait until nothing of the session can go on by itself; how it stands then.

        Raises:
            Refused: its run could not be continued.
        """
        if handle.session is None:
            return self.meta(handle.id)
        return (await self.runs.result(handle.session)).meta

    # -- answering --------------------------------------------------------------------------------------------------

    async def resume(self, session_id: str, response: str, seq: int | None, *, changed: bool = False) -> Handle:
        """Answer a question; with ``changed`` the source on disk may be another than the recorded one.

        Raises:
            Refused: nothing was changed, because the question is not open or the answer is not among its choices.
        """
        meta, questions = await self._questions(session_id, seq)
        question = _pick(questions, seq, ("input",), "Session is not paused")
        choices = question["choices"]
        if choices is not None and response not in choices:
            raise Refused(422, f"{response!r} is not among the choices: {', '.join(choices)}")
        return await self._answer(meta, question, response, changed)

    async def approve(self, session_id: str, decision: str, seq: int | None, *, changed: bool = False) -> Handle:
        """``allow`` or one of the question's choices; anything else denies. Raises ``Refused`` as ``resume`` does."""
        meta, questions = await self._questions(session_id, seq)
        question = _pick(questions, seq, ("approval", "in_doubt"), "Session is not awaiting approval")
        choices = question["choices"]
        given = choices[0] if decision == "allow" else decision if decision in choices else choices[-1]
        return await self._answer(meta, question, given, changed)

    async def retry(self, session_id: str, *, changed: bool = False) -> Handle:
        """Make the call again whose error ended the run, or continue an interrupted one."""
        meta = self.meta(session_id)
        if meta.status not in ("failed", "running") or await self.live(session_id) is not None:
            raise Refused(409, "Session is neither failed nor interrupted")
        return await self._continue(meta, {}, changed)

    async def _questions(self, session_id: str, seq: int | None) -> tuple[RunMeta, Sequence[OpenQuestion]]:
        """The session, and what can be answered in it; nothing may be awaited before the answer is accepted."""
        session = await self._reachable(session_id)
        meta = self.meta(session_id)
        if session is None:
            return meta, meta.pending if meta.status in ("paused", "awaitingapproval") else ()
        if session.cancelling is not None or (seq is None and session.is_answering):
            return meta, ()
        return meta, session.questions

    async def _reachable(self, session_id: str) -> LiveSession | None:
        """The session when its run is under way, and not about to rest."""
        while (session := await self.live(session_id)) is not None and session.is_pausing:
            await asyncio.wait([session.rested])
        return session

    async def _answer(self, meta: RunMeta, question: OpenQuestion, text: str, changed: bool) -> Handle:
        session = self.runs.get(meta.id)
        if session is None:
            return await self._continue(meta, {(question["seq"], question["kind"]): text}, changed)
        session.answer(question["seq"], question["kind"], text)
        return Handle(meta.id, session)

    async def _continue(self, meta: RunMeta, answers: Mapping[tuple[int, str], str], changed: bool) -> Handle:
        agent = self._agents.recorded(Path(meta.agent))
        if agent is None and (changed or meta.bundle is None):
            raise _gone(meta)

        async def work(session: LiveSession) -> RunResult:
            return await self._runtime.resume(
                meta.id,
                current=None if agent is None else agent.bundle,
                allow_source_change=changed,
                warnings=() if agent is not None else (f"{_no_file(meta)}: the run goes on with its recorded source",),
                attendance=session.attendance(),
            )

        # A changed source may ask something else.
        asking = () if changed or meta.status == "running" else meta.pending
        return await self.runs.begin(
            meta.id, meta.agent, work, before=lambda session: session.continues(asking, answers)
        )

    # -- ending -----------------------------------------------------------------------------------------------------

    async def cancel(self, session_id: str, reason: str | None) -> tuple[Handle, bool]:
        """Cancel a session and everything inside of it; and whether it was under way.

        Raises:
            Refused: it has ended, or somebody else is about to change it.
        """
        session = await self._reachable(session_id)
        meta = self.meta(session_id)
        if session is not None:
            if session.is_answering:
                raise Refused(409, "Session is being resumed")
            session.cancel(reason or "cancelled")
            return Handle(session_id, session), True
        if meta.status not in ("running", "paused", "awaitingapproval"):
            raise Refused(409, f"Session already {meta.status}")

        cancelled = reason or "cancelled"

        async def work(session: LiveSession) -> RunResult:
            try:
                return await self._runtime.resume(meta.id, attendance=session.attendance())
            except (ManifestMismatch, NotResumable):
                # It cannot be continued only to be ended, so nothing of what was under way is recorded.
                return await self._runtime.give_up(meta.id, cancelled, cancelled=True)

        handle = await self.runs.begin(session_id, meta.agent, work, before=lambda session: session.cancel(cancelled))
        return handle, False

    # -- from the record of another ---------------------------------------------------------------------------------

    async def branch(
        self, session_id: str, at: int, result: bytes | None, error: str | None, note: str | None
    ) -> Handle:
        """A new session with the history of this one before record ``at``, which answers differently in it.

        Raises:
            Refused: the record cannot have that outcome.
        """
        agent = self.meta(session_id).agent
        new_id = str(uuid.uuid4())

        async def work(session: LiveSession) -> RunResult:
            return await self._runtime.branch(
                session_id,
                at,
                result=result,
                error=error,
                note=note,
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


def _is_begun(refusal: Refused) -> bool:
    """Whether a session could not be begun because another server has done so."""
    return isinstance(refusal.__cause__, RunExists | RunOwned)


def _no_file(meta: RunMeta) -> str:
    return f"there is no file {meta.agent} here"


def _gone(meta: RunMeta) -> Refused:
    """A session cannot go on with the source on disk, because there is none."""
    hint = "put the agent's file there"
    if meta.bundle is None:
        hint += ": the session was imported without its source"
    else:
        hint += ", or leave `allow_source_change` out to go on with the recorded source"
    return Refused(409, _no_file(meta), hint=hint)


def _pick(questions: Sequence[OpenQuestion], seq: int | None, kinds: tuple[str, ...], otherwise: str) -> OpenQuestion:
    """The question with that seq, or the oldest of these kinds."""
    fitting = [question for question in questions if question["kind"] in kinds]
    if seq is None and fitting:
        return fitting[0]
    for question in fitting:
        if question["seq"] == seq:
            return question
    raise Refused(409, otherwise if seq is None or not fitting else f"question {seq} is not open")
