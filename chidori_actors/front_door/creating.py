"""New sessions: one for each request, or for each idempotency key."""

import asyncio
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import orjson

from .. import exact_json
from ..errors import ChidoriError, ReplayDivergence, RunExists, RunOwned, StoreError, UsageError
from ..journal.idempotency import run_of_key
from ..journal.runs import RunMeta
from ..policy import Profile
from ..runtime import RunResult, Runtime
from ..transfer import import_checkpoint
from .agents import Agents
from .live_runs import Handle
from .live_session import LiveSession
from .refusal import Refused
from .sessions import Sessions

_KEYED = uuid.UUID("6b0f1a52-5d0c-4f43-9c1e-8f5b7d2f2a10")
_LOOK_S, _LOOKS = 0.05, 200
"""So a session is waited for that another server is beginning."""


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


class NewSessions:
    """Begins the sessions of one server, whose ``sessions`` it shares."""

    def __init__(self, runtime: Runtime, agents: Agents, sessions: Sessions) -> None:
        self._runtime = runtime
        self._agents = agents
        self._sessions = sessions
        self._runs = sessions.runs
        self._keys: dict[str, str] = {}
        """The sessions of idempotency keys that are not in the store yet."""

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
        if self._runs.get(session_id) is not None or self._runtime.store.get("runs", session_id.encode()) is not None:
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
            return await self._runs.begin(session_id, name, work)
        self._keys[new.key] = session_id
        try:
            return await self._runs.begin(session_id, name, work)
        except Refused as refusal:
            if _is_begun(refusal) and new.id is None:
                return await self._begun_elsewhere(session_id)
            raise
        finally:
            del self._keys[new.key]

    async def _of_key(self, session_id: str) -> Handle:
        """The session that stands for a key which was seen before."""
        if self._runs.get(session_id) is not None:
            try:
                return await self._runs.begun(session_id)
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
        return Handle(session_id, await self._sessions.live(session_id))


def _is_begun(refusal: Refused) -> bool:
    """Whether a session could not be begun because another server has done so."""
    return isinstance(refusal.__cause__, RunExists | RunOwned)
