"""Sessions that go on: with the answer to a question, or by making a call again."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..answers import OpenQuestion
from ..journal.runs import RunMeta
from ..runtime import RunResult, Runtime
from .agents import Agents
from .live_runs import Handle
from .live_session import LiveSession
from .refusal import Refused
from .sessions import Sessions


class ContinuedSessions:
    """Lets the ``sessions`` of one server go on."""

    def __init__(self, runtime: Runtime, agents: Agents, sessions: Sessions) -> None:
        self._runtime = runtime
        self._agents = agents
        self._sessions = sessions
        self._runs = sessions.runs

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
        meta = self._sessions.meta(session_id)
        if meta.status not in ("failed", "running") or await self._sessions.live(session_id) is not None:
            raise Refused(409, "Session is neither failed nor interrupted")
        return await self._continue(meta, {}, changed)

    async def _questions(self, session_id: str, seq: int | None) -> tuple[RunMeta, Sequence[OpenQuestion]]:
        """The session, and what can be answered in it; nothing may be awaited before the answer is accepted."""
        session = await self._sessions.reachable(session_id)
        meta = self._sessions.meta(session_id)
        if session is None:
            return meta, meta.pending if meta.status in ("paused", "awaitingapproval") else ()
        if session.cancelling is not None or (seq is None and session.is_answering):
            return meta, ()
        return meta, session.questions

    async def _answer(self, meta: RunMeta, question: OpenQuestion, text: str, changed: bool) -> Handle:
        session = self._runs.get(meta.id)
        if session is None:
            return await self._continue(meta, {(question["seq"], question["kind"]): text}, changed)
        session.answer(question["seq"], question["kind"], text)
        return Handle(meta.id, session)

    async def _continue(self, meta: RunMeta, answers: Mapping[tuple[int, str], str], changed: bool) -> Handle:
        agent = self._agents.recorded(Path(meta.agent), meta.tool_folders)
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
        return await self._runs.begin(
            meta.id, meta.agent, work, before=lambda session: session.continues(asking, answers)
        )


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
