"""The blocking client."""

from collections.abc import Generator
from dataclasses import dataclass, field, fields
from typing import Any

from .address import Timeouts, resolve_address
from .blocking_http import BlockingDriver
from .checkpoint import Checkpoint
from .event_stream import Event
from .operations import NOT_GIVEN, Operations, StartOptions
from .retries import Retries
from .views import AgentFile, Cancellation, JsonObject, SessionSummary, SessionView


@dataclass(frozen=True, slots=True)
class Session(SessionView):
    """A session as it was when the server answered, and what can be done with it.

    Every method asks the server and returns a new value; this one stays as it is.
    """

    client: "AgentClient" = field(repr=False, compare=False)

    def checkpoint(self) -> Checkpoint:
        """The recorded calls of the session; see ``AgentClient.get_checkpoint``."""
        return self.client.get_checkpoint(self.id)

    def wait(self) -> "Session":
        """Wait until the run completes, fails, is cancelled or pauses; see ``AgentClient.wait``."""
        return self.client.wait(self.id)

    def resume(self, response: str, seq: int | None = None) -> "Session":
        """Answer the question ``seq``, by default the oldest of ``input()`` seen here."""
        return self.client.resume(self.id, response, self.oldest("input") if seq is None else seq)

    def approve(self, allow: bool, seq: int | None = None) -> "Session":
        """Decide the approval ``seq``, by default the oldest seen here; see ``AgentClient.approve``."""
        return self.client.approve(self.id, allow, self.oldest("approval") if seq is None else seq)

    def retry(self) -> "Session":
        """Make the call again whose error ended the run; see ``AgentClient.retry``."""
        return self.client.retry(self.id)

    def cancel(self, reason: str | None = None) -> Cancellation:
        """Stop the run and all its children; see ``AgentClient.cancel``."""
        return self.client.cancel(self.id, reason)


class AgentClient:
    """Talks to `chidori serve`; each call blocks until it is answered.

    It uses no event loop, so it works in scripts, threads and notebooks alike; inside a coroutine it would stop the
    loop, which is what ``AsyncAgentClient`` is for. There is nothing to close, and threads may share a client.

    Args:
        base_url: where the server is; by default ``CHIDORI_URL``, else ``http://127.0.0.1:8080``.
        api_key: the server's key; by default ``CHIDORI_API_KEY``, else none.
        timeouts: seconds to connect and of silence. A request that waits for a run has no limit.
        retries: when a request is sent again. That happens only where twice is the same as once (reading, and
            starting a session, which has an ``Idempotency-Key``), or where the server was never reached.

    Every method raises a ``ClientError``: ``NotFound``, ``Conflict``, ``Invalid``, ``Unauthorized``, ``ServerBusy``
    or ``ConnectionFailed``, with ``status``, ``body`` and ``hint``. A run that failed is not an error: its session
    has ``status`` ``failed``.
    """

    def __init__(
        self,
        base_url: str | None = None,
        *,
        api_key: str | None = None,
        timeouts: Timeouts | None = None,
        retries: Retries | None = None,
    ) -> None:
        self._driver = BlockingDriver(resolve_address(base_url, api_key), timeouts or Timeouts())
        self._operations = Operations(retries or Retries())

    def run(
        self,
        input: Any,
        *,
        session_id: str | None = None,
        agent: str | None = None,
        policy_profile: str | None = None,
        idempotency_key: str | None = None,
        wait: bool = True,
    ) -> Session:
        """Start a session and return it once its run completes, fails or pauses.

        Args:
            input: any JSON value; the agent's first argument.
            session_id: the id to give it (``[\\w.:-]{1,128}``); one that exists is a ``Conflict``.
            agent: another agent file beside the served one.
            policy_profile: ``"untrusted"`` denies http, tools, exec and env besides what the server's policy denies;
                ``"supervised"`` pauses before those of them that it allows, to be approved; ``"trusted"`` changes
                nothing. None of them allows more than the server does.
            idempotency_key: asking again with the same key gives the same session. One is made when it is left
                out, so a lost answer never starts two.
            wait: False returns the running session at once.
        """
        options = StartOptions(session_id, agent, policy_profile, idempotency_key)
        return self._session(self._driver.call(self._operations.run(input, options, wait=wait)))

    def stream(
        self,
        input: Any,
        *,
        session_id: str | None = None,
        agent: str | None = None,
        policy_profile: str | None = None,
        idempotency_key: str | None = None,
    ) -> Generator[Event, None, None]:
        """Start a session as ``run`` does and yield its events; the last one is ``done``.

        An event is what the server sent, with ``type``: ``call`` (a record), ``prompt_start``, ``prompt_delta``,
        ``prompt_end`` or ``done``, and with ``event_id``, which ``attach`` goes on after. A dropped connection is
        opened again: nothing is missing or comes twice. The run goes on when the caller stops listening.
        """
        options = StartOptions(session_id, agent, policy_profile, idempotency_key)
        return self._driver.iterate(self._operations.stream(input, options))

    def attach(self, session_id: str, after: int | None = None) -> Generator[Event, None, None]:
        """Yield the events of a session as ``stream`` does, past ones first, or only those after an ``event_id``."""
        return self._driver.iterate(self._operations.attach(session_id, after))

    def wait(self, session_id: str) -> Session:
        """Wait until a session completes, fails, is cancelled or pauses, and return it."""
        return self._session(self._driver.call(self._operations.wait(session_id)))

    def resume(self, session_id: str, response: str, seq: int | None = None) -> Session:
        """Answer a question of a paused session, and return it once its run rests again.

        ``seq`` names the question, by default the oldest. ``Conflict``: it is not open, or the source or the
        policy has changed; ``Invalid``: the response is not among the choices.
        """
        return self._session(self._driver.call(self._operations.resume(session_id, response, seq)))

    def approve(self, session_id: str, allow: bool, seq: int | None = None) -> Session:
        """Allow or deny what a session waits to do, and return it once its run rests again.

        ``seq`` names the question, by default the oldest. ``Conflict``: none is open.
        """
        return self._session(self._driver.call(self._operations.approve(session_id, allow, seq)))

    def retry(self, session_id: str) -> Session:
        """Continue a failed or interrupted session: the call whose error ended it is made again."""
        return self._session(self._driver.call(self._operations.retry(session_id)))

    def cancel(self, session_id: str, reason: str | None = None) -> Cancellation:
        """Stop a run and all its children, calls in flight included. ``Conflict``: it has ended already."""
        return self._driver.call(self._operations.cancel(session_id, reason))

    def branch(
        self,
        session_id: str,
        at: int,
        *,
        result: Any = NOT_GIVEN,
        error: str | None = None,
        note: str | None = None,
    ) -> Session:
        """Start a session from an edited history, and return it once its run rests.

        It shares what came before the record whose ``seq`` is ``at``, which answers with ``result`` (any JSON
        value) or fails with ``error``, and goes on live from there.
        """
        flow = self._operations.branch(session_id, at, result=result, error=error, note=note)
        return self._session(self._driver.call(flow))

    def replay(self, what: Checkpoint | str, *, agent: str | None = None) -> Session:
        """Replay a checkpoint, or a session by its id, as a new session that asks no model.

        ``agent`` goes with a checkpoint: the agent file beside the served one that it was made with.
        """
        return self._session(self._driver.call(self._operations.replay(what, agent)))

    def get_session(self, session_id: str) -> Session:
        """A session as it is now."""
        return self._session(self._driver.call(self._operations.get_session(session_id)))

    def list_sessions(
        self, status: str | None = None, limit: int | None = None
    ) -> Generator[SessionSummary, None, None]:
        """Yield the sessions, newest first, read page by page: all, or at most ``limit``, or those of ``status``."""
        return self._driver.iterate(self._operations.list_sessions(status, limit))

    def get_checkpoint(self, session_id: str) -> Checkpoint:
        """The recorded calls of a session, whatever its status."""
        return self._driver.call(self._operations.get_checkpoint(session_id))

    def get_snapshot_manifest(self, session_id: str) -> JsonObject:
        """The manifest of a session's snapshot: versions, policy, source hashes, pending calls."""
        return self._driver.call(self._operations.get_snapshot_manifest(session_id))

    def agents(self) -> tuple[AgentFile, ...]:
        """The agent files that the server can run."""
        return self._driver.call(self._operations.agents())

    def health(self) -> JsonObject:
        """``{"status": "ok"}`` from a server that is up; it asks for no key."""
        return self._driver.call(self._operations.health())

    def _session(self, view: SessionView) -> Session:
        return Session(client=self, **{part.name: getattr(view, part.name) for part in fields(view)})
