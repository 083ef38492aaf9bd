"""What a host function is: the seam between the actor's loop and everything an agent does to the world."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ..journal.store import Write
from .resources import Resources

if TYPE_CHECKING:
    from ..settings import Settings
    from .secrets import Secrets

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class HostCall:
    """One call that left the VM, ``at_ms`` after 1970. ``args`` are the record's (wire contract, section 4)."""

    run_id: str
    path: str
    seq: int
    function: str
    args: JsonObject
    at_ms: int
    attempt: int = 1

    @property
    def key(self) -> str:
        """The idempotency key: the same in every execution of this call, also after a crash.

        After a failed run was resumed, another call may stand at the path of one that was taken back.
        """
        return f"{self.run_id}:{self.path}" + ("" if self.attempt == 1 else f":{self.attempt}")


@dataclass(frozen=True, slots=True)
class HostResult:
    """What a host function gives back.

    ``value`` is JSON text, recorded and given to the agent as it stands. ``notes`` are extra fields of the
    record (``attempts``, ``warnings``: a list of sentences, also shown on stderr). ``writes`` are committed in
    one transaction with the record.
    """

    value: bytes
    token_usage: Mapping[str, int] | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)
    writes: tuple[Write, ...] = ()


class HostError(Exception):
    """A call that failed; the agent sees ``Error(message)`` with ``name`` and the fields of ``data``.

    ``inner`` is where it began (``location``, ``source_line``, ``stack``) when that was in an actor inside of the call;
    ``writes`` are committed with the record.
    """

    def __init__(
        self,
        message: str,
        *,
        name: str = "Error",
        data: Mapping[str, Any] | None = None,
        notes: Mapping[str, Any] | None = None,
        token_usage: Mapping[str, int] | None = None,
        inner: Mapping[str, Any] | None = None,
        writes: tuple[Write, ...] = (),
    ) -> None:
        super().__init__(message)
        self.name = name
        self.data = dict(data or {})
        self.notes = dict(notes or {})
        self.token_usage = token_usage
        self.inner = inner
        self.writes = writes


@dataclass(frozen=True, slots=True)
class Question:
    """Something a person must decide (wire contract, section 1: ``pending``).

    ``reason`` is that of the policy's rule.
    """

    seq: int
    path: str
    kind: Literal["input", "approval", "in_doubt"]
    prompt: str
    choices: tuple[str, ...] | None = None
    default: str | None = None
    details: JsonObject | None = None
    target: str | None = None
    args: JsonObject | None = None
    reason: str | None = None


class Unanswered(Exception):
    """Nobody can answer this question now: the call stays open and the run may pause on it."""

    def __init__(self, question: Question) -> None:
        super().__init__(question.prompt)
        self.question = question


class Questions(Protocol):
    """Who answers questions: a terminal, or nobody."""

    async def ask(self, question: Question) -> str:
        """The answer as text; raises ``Unanswered`` when there is nobody to ask. Cancelling withdraws it."""
        ...


class PromptEvents(Protocol):
    """Where streamed text goes. One ``stream_id`` is one attempt at one prompt."""

    def prompt_start(self, stream_id: str, seq: int, prompt_type: str | None, model: str) -> None: ...

    def prompt_delta(self, stream_id: str, seq: int, prompt_type: str | None, delta: str) -> None: ...

    def prompt_end(self, stream_id: str, seq: int, prompt_type: str | None, error: str | None) -> None: ...


class MemoryReader(Protocol):
    """Reads of the project's memory; writes ride with the record (``HostResult.writes``)."""

    def get(self, namespace: str, key: str) -> bytes | None: ...

    def scan(self, namespace: str, prefix: str) -> list[tuple[str, bytes]]:
        """Every key that starts with ``prefix`` and its JSON text, in key order."""
        ...

    def put(self, namespace: str, key: str, value: bytes) -> Write: ...

    def delete(self, namespace: str, key: str) -> Write: ...


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A tool as a model is told about it; ``parameters`` is its whole JSON Schema."""

    name: str
    description: str
    parameters: JsonObject


class Tools(Protocol):
    """The tools of a run: tool files, and those of MCP servers (``server__tool``)."""

    async def definitions(self, names: Sequence[str]) -> Sequence[ToolDefinition]:
        """The tools of these names, in their order; raises ``HostError`` (``Unknown tool: …``) for any other."""
        ...

    async def call(self, name: str, arguments: JsonObject) -> bytes:
        """Call an MCP tool and give its result as JSON text; raises ``HostError`` when it fails."""
        ...

    async def validate(self, name: str, arguments: JsonObject) -> None:
        """Raise a ``HostError`` that names the place in ``arguments`` where they break the tool's schema."""
        ...

    def is_remote(self, name: str) -> bool:
        """Whether the tool belongs to an MCP server."""
        ...


@dataclass(frozen=True, slots=True)
class HostServices:
    """What host functions may use. One per run; nothing here belongs to one call."""

    settings: "Settings"
    run_id: str
    default_model: str | None
    questions: Questions
    events: PromptEvents
    memory: MemoryReader
    secrets: "Secrets"
    refusal: Callable[[str, JsonObject], str | None]
    """Why policy does not allow a target with these args without asking, or None: for what a call leads to."""
    read_template: Callable[[str], str | None]
    """Text of a template below the project root by its path relative to the agent, or None."""
    resources: Resources
    tools: Tools
    noted: Callable[[str], None]
    """Tells whoever watches why a call takes long."""


@dataclass(frozen=True, slots=True)
class HostFunction:
    """One host function. Everything but ``run`` is pure.

    ``record_args`` turns the args that the prelude sent into the record's args (defaults filled in); it gets the
    run's default model and must not look at anything else. ``unrecorded`` marks a function whose value must not
    be in any record: the record says null, and the value is made anew at every delivery. ``run`` is None when actors
    answer every call, ``by_actors`` tells which ones they answer otherwise (session/containers.py).
    """

    name: str
    run: Callable[[HostCall, HostServices], Awaitable[HostResult]] | None
    record_args: Callable[[JsonObject, str | None], JsonObject] | None = None
    idempotent: Callable[[JsonObject], bool] = lambda args: True
    policy_target: Callable[[JsonObject], str | None] = lambda args: None
    in_force: Callable[[JsonObject], JsonObject] = lambda args: args
    """The args with what holds where the record says nothing: what policy's rules are matched against."""
    by_actors: Callable[[JsonObject, HostServices], bool] = lambda args, services: False
    forks: Callable[[JsonObject], bool] = lambda args: False
    """Whether the call needs the VM as it is when the call is made."""
    finishes: bool = False
    """Un-awaited calls are finished when the agent ends, instead of cancelled."""
    unrecorded: Callable[[JsonObject, HostServices], bytes] | None = None
