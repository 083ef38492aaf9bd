"""What a client can ask of the server, as flows: the one implementation behind both clients."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, TypeVar

from . import answers, routes, views
from .checkpoint import Checkpoint, checkpoint_of_answer
from .errors import Invalid
from .event_stream import Event, EventStream
from .exchange import Emit, Flow, Items, Request
from .retries import Retries, send
from .routes import session_path
from .views import AgentFile, Cancellation, SessionSummary, SessionView

T = TypeVar("T")
JsonObject = dict[str, Any]

_LARGEST_PAGE = 100


class NotGiven(Enum):
    """An argument that was left out, where None is a value."""

    NOT_GIVEN = "not given"


NOT_GIVEN = NotGiven.NOT_GIVEN


@dataclass(frozen=True, slots=True)
class StartOptions:
    """How a session is started; see ``AgentClient.run``."""

    session_id: str | None = None
    agent: str | None = None
    policy_profile: str | None = None
    idempotency_key: str | None = None

    def request(self, path: str, input: Any, **more: Any) -> tuple[Request, str]:
        """The request that starts a session, and the session's id."""
        return routes.start(
            path,
            input,
            session_id=self.session_id,
            idempotency_key=self.idempotency_key,
            agent=self.agent,
            policy_profile=self.policy_profile,
            **more,
        )


@dataclass(frozen=True, slots=True)
class Operations:
    """The flows of the sessions API; see ``AgentClient`` for what each does."""

    retries: Retries

    def run(self, input: Any, options: StartOptions, *, wait: bool) -> Flow[SessionView]:
        request, _ = options.request("/sessions", input, wait=wait)
        started = yield from self._ask(request, views.session_view)
        # A request that was repeated may be answered while the first one still runs.
        return (yield from self.wait(started.id)) if wait and started.status == "running" else started

    def stream(self, input: Any, options: StartOptions) -> Items[Event]:
        request, session_id = options.request("/sessions/stream", input)
        return _items(EventStream(session_id, self.retries, start=request))

    def attach(self, session_id: str, after: int | None) -> Items[Event]:
        session_path(session_id)
        return _items(EventStream(session_id, self.retries, after=after))

    def wait(self, session_id: str) -> Flow[SessionView]:
        events = EventStream(session_id, self.retries)
        while (yield from events.next()) is not None:
            pass
        return (yield from self.get_session(session_id))

    def resume(self, session_id: str, response: str, seq: int | None) -> Flow[SessionView]:
        fields = {"response": response, "seq": seq}
        return self._ask(routes.post(session_path(session_id, "resume"), fields), views.session_view)

    def retry(self, session_id: str) -> Flow[SessionView]:
        return self._ask(routes.post(session_path(session_id, "resume"), {"retry": True}), views.session_view)

    def approve(self, session_id: str, allow: bool, seq: int | None) -> Flow[SessionView]:
        fields = {"decision": "allow" if allow else "deny", "seq": seq}
        return self._ask(routes.post(session_path(session_id, "approve"), fields), views.session_view)

    def cancel(self, session_id: str, reason: str | None) -> Flow[Cancellation]:
        request = routes.post(session_path(session_id, "cancel"), {"reason": reason}, patient=False)
        return self._ask(request, views.cancellation)

    def branch(
        self, session_id: str, at: int, *, result: Any, error: str | None, note: str | None
    ) -> Flow[SessionView]:
        outcome = {} if result is NOT_GIVEN else {"result": result}
        outcome |= {} if error is None else {"error": error}
        return self._ask(routes.branch(session_id, at, note=note, **outcome), views.session_view)

    def replay(self, what: Checkpoint | str, agent: str | None) -> Flow[SessionView]:
        if isinstance(what, Checkpoint):
            started = StartOptions(agent=agent).request("/sessions", what.input, replay_from=what.call_log)
            return self._ask(started[0], views.session_view)
        if agent is not None:
            raise Invalid("a session is replayed with its own agent", hint="give `agent` with a Checkpoint only")
        return self._replay(routes.post(session_path(what, "replay"), {}))

    def _replay(self, request: Request) -> Flow[SessionView]:
        short = yield from self._ask(request, _with_id)

        def whole(view: JsonObject) -> SessionView:
            return views.session_view(short | view)

        return (yield from self._ask(routes.get(session_path(short["id"])), whole))

    def get_session(self, session_id: str) -> Flow[SessionView]:
        return self._ask(routes.get(session_path(session_id)), views.session_view)

    def list_sessions(self, status: str | None, limit: int | None) -> Items[SessionSummary]:
        if limit is not None and limit < 0:
            raise Invalid(f"limit is {limit}", hint="give a number from 0, or None for all")
        return self._list(status, limit)

    def _list(self, status: str | None, limit: int | None) -> Items[SessionSummary]:
        cursor, seen = None, 0
        while limit is None or seen < limit:
            size = _LARGEST_PAGE if limit is None else min(_LARGEST_PAGE, limit - seen)
            request = routes.get("/sessions", {"status": status, "limit": size, "cursor": cursor})
            sessions, cursor = yield from self._ask(request, _page)
            for session in sessions[:size]:
                yield Emit(session)
            seen += len(sessions)
            if cursor is None:
                return

    def get_checkpoint(self, session_id: str) -> Flow[Checkpoint]:
        return self._ask(routes.get(session_path(session_id, "checkpoint")), checkpoint_of_answer)

    def get_snapshot_manifest(self, session_id: str) -> Flow[JsonObject]:
        return self._ask(routes.get(session_path(session_id, "snapshot")), _manifest)

    def agents(self) -> Flow[tuple[AgentFile, ...]]:
        return self._ask(routes.get("/agents"), views.agent_files)

    def health(self) -> Flow[JsonObject]:
        return self._ask(routes.get("/health"), _as_it_is)

    def _ask(self, request: Request, read: Callable[[JsonObject], T]) -> Flow[T]:
        response = yield from send(request, self.retries)
        return answers.value(request, response, read)


def _items(events: EventStream) -> Items[Event]:
    while (event := (yield from events.next())) is not None:
        yield Emit(event)


def _page(answer: JsonObject) -> tuple[list[SessionSummary], str | None]:
    return [views.session_summary(session) for session in answer["sessions"]], answer.get("next_cursor")


def _manifest(answer: JsonObject) -> JsonObject:
    return dict(answer["snapshot_manifest"])


def _as_it_is(answer: JsonObject) -> JsonObject:
    return dict(answer)


def _with_id(answer: JsonObject) -> JsonObject:
    return answer | {"id": str(answer["id"])}
