"""The one table of the server's routes: what is registered and what the OpenAPI document says."""

from dataclasses import dataclass

from .schemas import NUMBER, RUN_ID, STATUS, TEXT, Schema

JSON, EVENTS, METRICS = "application/json", "text/event-stream", "text/plain"


@dataclass(frozen=True, slots=True)
class Parameter:
    """What a request may say in its query or in a header."""

    name: str
    place: str
    schema: Schema
    text: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of a route; ``schema`` is a name in ``SCHEMAS``, None for a body that is not JSON."""

    status: int
    text: str
    schema: str | None
    media: str = JSON


@dataclass(frozen=True, slots=True)
class Route:
    """``handler`` is the name of a method of ``SessionRoutes``, or of one of the server's own pages.

    ``body`` is a name in ``SCHEMAS``; ``starts`` routes start work and may be told that the server is busy.
    """

    method: str
    path: str
    handler: str
    summary: str
    answers: tuple[Answer, ...]
    body: str | None = None
    body_optional: bool = False
    parameters: tuple[Parameter, ...] = ()
    starts: bool = False
    needs_key: bool = True


_AFTER = (
    Parameter("Last-Event-ID", "header", {"type": "string", "pattern": "^[0-9]{0,15}$"}, "The last event received."),
    Parameter("after", "query", {**NUMBER, "maximum": 10**15 - 1}, "The same, for clients that set no headers."),
)
_PAGE = (
    Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 500}, "Sessions in a page."),
    Parameter("cursor", "query", TEXT, "The `next_cursor` of the page before."),
    Parameter("status", "query", STATUS, "Only sessions of this status."),
)
_KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$"},
    "The same key gives the same session again.",
)
_PREFER = Parameter("Prefer", "header", TEXT, "`respond-async`: answer at once. Other preferences are ignored.")

_ERROR = "Error"
_NOT_FOUND = Answer(404, "There is no such session.", _ERROR)
_CONFLICT = Answer(409, "The session does not stand so that this can be done.", _ERROR)
_STREAM = Answer(200, "Server-sent events, each as in the schema, `done` last.", "Event", EVENTS)
_FAILED_AGENT = Answer(404, "There is no such agent.", _ERROR)
_VIEW = Answer(200, "The session as it stands now.", "Session")

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/health",
        "health",
        "Whether the server answers",
        (Answer(200, "It does.", "Health"),),
        needs_key=False,
    ),
    Route("GET", "/agents", "list_agents", "The served agents", (Answer(200, "Agent files.", "Agents"),)),
    Route(
        "GET",
        "/sessions",
        "list_sessions",
        "Sessions, newest first",
        (Answer(200, "A page.", "SessionPage"), Answer(422, "A wrong parameter.", _ERROR)),
        parameters=_PAGE,
    ),
    Route(
        "POST",
        "/sessions",
        "create_session",
        "Run an agent",
        (
            Answer(201, "It ended or waits for a person.", "Session"),
            Answer(202, "It runs (`Prefer: respond-async`).", "Session"),
            _FAILED_AGENT,
            _CONFLICT,
        ),
        body="NewSession",
        parameters=(_KEY, _PREFER),
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/stream",
        "create_and_stream",
        "Run an agent and stream its events",
        (_STREAM, _FAILED_AGENT, _CONFLICT),
        body="NewSession",
        parameters=(_KEY,),
        starts=True,
    ),
    Route("GET", "/sessions/{id}", "get_session", "A session", (_VIEW, _NOT_FOUND)),
    Route(
        "GET",
        "/sessions/{id}/checkpoint",
        "get_checkpoint",
        "A session's input, calls and manifest",
        (Answer(200, "The checkpoint.", "Checkpoint"), _NOT_FOUND),
    ),
    Route(
        "GET",
        "/sessions/{id}/snapshot",
        "get_snapshot",
        "A session's manifest",
        (Answer(200, "The manifest.", "Snapshot"), _NOT_FOUND),
    ),
    Route(
        "GET",
        "/sessions/{id}/stream",
        "stream_session",
        "A session's events, from any point on",
        (_STREAM, _NOT_FOUND, Answer(422, "Not the id of an event.", _ERROR)),
        parameters=_AFTER,
    ),
    Route(
        "POST",
        "/sessions/{id}/resume",
        "resume_session",
        "Answer a question, or make a failed call again",
        (_VIEW, _NOT_FOUND, _CONFLICT),
        body="Resume",
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/approve",
        "approve_session",
        "Allow or deny what waits for approval",
        (_VIEW, _NOT_FOUND, _CONFLICT),
        body="Approve",
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/cancel",
        "cancel_session",
        "Cancel a session and everything inside of it",
        (Answer(200, "It was cancelled.", "Cancelled"), _NOT_FOUND, _CONFLICT),
        body="Cancel",
        body_optional=True,
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/replay",
        "replay_session",
        "Run a session again from its record alone",
        (Answer(201, "How the new session ended.", "Replayed"), _NOT_FOUND, _CONFLICT),
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/branch",
        "branch_session",
        "A new session from an edited history",
        (Answer(201, "It ended or waits for a person.", "Session"), _NOT_FOUND, _CONFLICT),
        body="Branch",
        starts=True,
    ),
    Route(
        "GET",
        "/metrics",
        "metrics",
        "Counters in Prometheus' text format",
        (Answer(200, "Metrics.", None, METRICS),),
    ),
    Route(
        "GET",
        "/openapi.json",
        "openapi",
        "This document",
        (Answer(200, "An OpenAPI 3.1 document.", "Document"),),
    ),
)

SESSION_ID: Schema = {"type": "string", "pattern": RUN_ID}
"""What stands for ``{id}`` in a path."""
