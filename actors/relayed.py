"""What belongs to a run's home, for its actors elsewhere: each of these tells or asks the home."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Any, Protocol, cast

from chidori_actors.host.function import JsonObject, Question
from chidori_actors.host.toolbox import RemoteTool
from chidori_actors.journal.approvals import Decision
from chidori_actors.journal.lanes import Settled
from chidori_actors.journal.store import Store
from chidori_actors.session.approvals import known_decision
from chidori_actors.session.context import RunContext, Watcher
from chidori_actors.session.live_parts import Part

from .far_actor import FarActor

Tell = Callable[..., None]


class Asks(Protocol):
    """Asks the home for something that takes time."""

    async def request(self, method: str, *args: Any) -> Any: ...

    async def hold(self, what: str, *args: Any) -> int:
        """Returns once that is held there; with what gives it free."""
        ...

    def let_go(self, token: int) -> None: ...


class Told:
    """Everything that is told to it is told to the home, under the name ``kind``."""

    def __init__(self, tell: Tell, kind: str) -> None:
        self._tell = tell
        self._kind = kind

    def __getattr__(self, method: str) -> Callable[..., None]:
        def told(*args: Any) -> None:
            self._tell(self._kind, method, *args)

        self.__dict__[method] = told
        return told


class RelayedEvents:
    """Implements ``RunEvents``; the home counts the calls as it writes them."""

    calls = 0

    def __init__(self, tell: Tell) -> None:
        self._tell = tell

    def taken_back(self, calls: int) -> None:
        if calls:
            self._tell("taken_back", calls)


class RelayedBoard:
    """Implements ``Board``. ``answers`` are those that may come, by the paths of their calls."""

    def __init__(self, tell: Tell, answers: dict[str, Callable[[str], None]]) -> None:
        self._tell = tell
        self._answers = answers

    def post(self, question: Question, answered: Callable[[str], None]) -> None:
        self._answers[question.path] = answered
        self._tell("post", question)

    def withdraw(self, question: Question) -> None:
        self._answers.pop(question.path, None)
        self._tell("withdraw", question.path)

    def pauses(self) -> None:
        """Only a root pauses, and that is at home."""


class RelayedApprovals:
    """Implements ``RunApprovals``."""

    def __init__(self, asks: Asks, store: Store, run_id: str) -> None:
        self._asks = asks
        self._store = store
        self._run_id = run_id

    @property
    def asking(self) -> AbstractAsyncContextManager[None, None]:
        return _Held(self._asks, "lock_asking")

    def known(self, target: str, args: Mapping[str, Any]) -> Decision | None:
        return known_decision(self._store, self._run_id, target, args)

    async def decide(self, question: Question, answer: str) -> Decision:
        return cast(Decision, await self._asks.request("decide", question, answer))

    def wait(self, question: Question, answered: Callable[[str], None]) -> None:
        """The home knows it by its being on the board."""

    def withdraw(self, question: Question) -> None:
        """The home knows it by its being withdrawn from the board."""


class RelayedRoom:
    """Implements ``ActorRoom``: the home counts the actors of all hosts."""

    def __init__(self, asks: Asks) -> None:
        self._asks = asks

    def taken(self, count: int, *, had_before: bool) -> AbstractAsyncContextManager[None, None]:
        return _Held(self._asks, "take_room", count, had_before)


class _Held:
    """What the home holds for an actor here, for as long as this is entered."""

    def __init__(self, asks: Asks, what: str, *args: Any) -> None:
        self._asks = asks
        self._what = what
        self._args = args
        self._token = 0

    async def __aenter__(self) -> None:
        self._token = await self._asks.hold(self._what, *self._args)

    async def __aexit__(self, *error: object) -> None:
        # Without waiting: the home may be gone.
        self._asks.let_go(self._token)


class RelayedMcp:
    """Implements ``McpServers``: they run at home, so that all actors of the run have the same ones."""

    def __init__(self, names: tuple[str, ...], asks: Asks) -> None:
        self.names = names
        self._asks = asks

    async def tools(self, server: str) -> Sequence[RemoteTool]:
        return cast(Sequence[RemoteTool], await self._asks.request("mcp_tools", server))

    async def call(self, name: str, arguments: JsonObject) -> bytes:
        return cast(bytes, await self._asks.request("mcp_call", name, arguments))


class RelayedRef:
    """An ``ActorRef`` to an actor that the home started for one that lives here."""

    def __init__(self, tell: Tell, run: RunContext, watcher: Watcher) -> None:
        self._tell = tell
        self._run = run
        self.far = FarActor(partial(tell, "stop"), watcher)
        self.wait = self.far.wait

    def cancel(self, reason: str | None = None) -> None:
        self._tell("cancel", reason)

    def abort(self, part: Part, reason: str) -> None:
        self._run.parts.abort(part, reason)

    async def drained(self) -> None:
        await self._run.drain.drained()

    def inherit(self, key: int, settled: Settled | None) -> None:
        self.far.wake_up()
        self._tell("inherit", key, settled)
