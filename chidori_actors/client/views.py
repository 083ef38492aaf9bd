"""What the server says of sessions, as values."""

from dataclasses import dataclass, fields
from typing import Any

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Question:
    """A question that a run waits on. ``kind`` is ``input``, ``approval`` or ``in_doubt``.

    ``target``, ``args`` and ``details`` tell what is to be approved.
    """

    seq: int
    kind: str
    path: str | None = None
    prompt: str | None = None
    choices: list[str] | None = None
    default: str | None = None
    details: Any = None
    target: str | None = None
    args: Any = None


@dataclass(frozen=True, slots=True)
class SessionView:
    """A session as it was when the server answered.

    ``status`` is ``running``, ``completed``, ``failed``, ``cancelled``, ``paused`` or ``awaitingapproval``.
    ``pending`` has every open question, oldest first; the ``pending_…`` fields are of the oldest. ``raw`` is the
    answer itself, with fields that are not known here.
    """

    id: str
    status: str
    input: Any
    output: Any
    error: str | None
    call_count: int | None
    pending: tuple[Question, ...]
    pending_seq: int | None
    pending_prompt: str | None
    pending_details: Any
    pending_approval: JsonObject | None
    created_at: str | None
    replayed_from: str | None
    raw: JsonObject

    @property
    def run_id(self) -> str:
        """The id of the run, which is the session's."""
        return self.id

    def oldest(self, kind: str) -> int | None:
        """The ``seq`` of the oldest open question of that kind; None when there is none."""
        return next((question.seq for question in self.pending if question.kind == kind), None)


@dataclass(frozen=True, slots=True)
class SessionSummary:
    """A session in a list. ``created_at`` is RFC 3339."""

    id: str
    status: str
    error: str | None
    created_at: str | None
    pending_prompt: str | None


@dataclass(frozen=True, slots=True)
class Cancellation:
    """What was cancelled. ``active``: the run was at work; ``attempt_number`` counts its executions."""

    id: str
    status: str
    active: bool | None
    attempt_number: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class AgentFile:
    """An agent that the server can run; ``default``: the one that runs when none is named."""

    name: str
    default: bool


def session_view(answer: JsonObject) -> SessionView:
    """The view in an answer.

    Raises:
        KeyError, TypeError: it is none.
    """
    questions = tuple(Question(**_known(Question, question)) for question in answer.get("pending") or ())
    rest = {
        field.name: answer.get(field.name)
        for field in fields(SessionView)
        if field.name not in ("id", "status", "pending", "raw")
    }
    return SessionView(id=_text(answer, "id"), status=_text(answer, "status"), pending=questions, raw=answer, **rest)


def session_summary(answer: JsonObject) -> SessionSummary:
    """One entry of a list. Raises as ``session_view``."""
    return SessionSummary(
        id=_text(answer, "id"),
        status=_text(answer, "status"),
        error=answer.get("error"),
        created_at=answer.get("created_at"),
        pending_prompt=answer.get("pending_prompt"),
    )


def cancellation(answer: JsonObject) -> Cancellation:
    """The answer to a cancellation. Raises as ``session_view``."""
    return Cancellation(
        id=_text(answer, "id"),
        status=_text(answer, "status"),
        active=answer.get("active"),
        attempt_number=answer.get("attempt_number"),
        reason=answer.get("reason"),
    )


def agent_files(answer: JsonObject) -> tuple[AgentFile, ...]:
    """The list of agents. Raises as ``session_view``."""
    return tuple(AgentFile(_text(agent, "name"), bool(agent.get("default"))) for agent in answer["agents"])


def _known(kind: type, answer: JsonObject) -> JsonObject:
    return {field.name: answer[field.name] for field in fields(kind) if field.name in answer}


def _text(answer: JsonObject, name: str) -> str:
    if not isinstance(answer[name], str):
        raise TypeError(f"`{name}` is not a string")
    return str(answer[name])
