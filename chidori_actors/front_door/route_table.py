"""The one table of the server's routes: what is registered and what the OpenAPI document says."""

from collections.abc import Mapping
from dataclasses import dataclass

from .inspection_schemas import CALL_STATE
from .schemas import NUMBER, RUN_ID, SEQ, TEXT, WANTED_STATUSES, Schema

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
    """``handler`` is the name of a method of one of the objects that handle routes, or of a page of the server itself.

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
    Parameter(
        "status",
        "query",
        {"type": "array", "items": {"type": "string", "enum": list(WANTED_STATUSES)}},
        "Only sessions of one of these; may be repeated. Interrupted ones are running ones, too; waiting ones have "
        "an open question, whether or not they run on meanwhile.",
    ),
    Parameter("agent", "query", TEXT, "Only sessions of this agent file."),
    Parameter("parent", "query", TEXT, "Only sessions made from this one by a branch or a replay."),
    Parameter("search", "query", TEXT, "Only those with this in their id, agent, error, questions, input or output."),
    Parameter("after", "query", TEXT, "The `version` of an earlier answer: with `wait`, answer when there is news."),
    Parameter("wait", "query", {"type": "integer", "minimum": 0, "maximum": 25}, "So many seconds at most."),
)
_KEY = Parameter(
    "Idempotency-Key",
    "header",
    {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[\\x21-\\x7e]([\\x20-\\x7e]*[\\x21-\\x7e])?$"},
    "The same key gives the same session again.",
)
_PREFER = Parameter("Prefer", "header", TEXT, "`respond-async`: answer at once. Other preferences are ignored.")

_MOMENT: Schema = {**NUMBER, "maximum": 2**53 - 1}
_WINDOW = (
    Parameter("first", "query", _MOMENT, "The first actor, in the order of the tree."),
    Parameter("count", "query", {**NUMBER, "maximum": 200}, "So many actors at most."),
    Parameter("from_ms", "query", _MOMENT, "Milliseconds since 1970; without it from the beginning."),
    Parameter("to_ms", "query", _MOMENT, "The same for the end."),
    Parameter("width", "query", {"type": "integer", "minimum": 1, "maximum": 10_000}, "Pixels, to merge calls by."),
    Parameter("after", "query", TEXT, "The `version` of an earlier answer."),
    Parameter("wait", "query", {**NUMBER, "maximum": 25}, "So many seconds nothing is answered while it is `after`."),
)
_CALLS = (
    Parameter("offset", "query", _MOMENT, "So many are left out."),
    Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 500}, "Calls in a page."),
    Parameter("search", "query", TEXT, "Only those with this in label, function, error, args or result."),
    Parameter("function", "query", TEXT, "Only calls of this function."),
    Parameter("state", "query", CALL_STATE, "Only calls in this state."),
    Parameter("actor", "query", TEXT, "Only calls of the actor with this path; the root's is empty."),
)

_COMPARED = (
    Parameter("offset", "query", _MOMENT, "So many rows are left out."),
    Parameter("limit", "query", {"type": "integer", "minimum": 1, "maximum": 500}, "Rows in a page."),
    Parameter("only", "query", {"type": "string", "enum": ["all", "changed"]}, "`changed`: only what differs."),
)

_ERROR = "Error"
_WRONG = Answer(422, "A wrong parameter.", _ERROR)
_DAMAGED = Answer(500, "What the store has of it is damaged.", _ERROR)
_NOT_FOUND = Answer(404, "There is no such session.", _ERROR)
_CONFLICT = Answer(409, "The session does not stand so that this can be done.", _ERROR)
_STREAM = Answer(200, "Server-sent events, each as in the schema, `done` last.", "Event", EVENTS)
_FAILED_AGENT = Answer(404, "There is no such agent.", _ERROR)
_VIEW = Answer(200, "The session as it stands now.", "Session")
_RUNS = Answer(202, "It runs (`Prefer: respond-async`).", "Session")

ROUTES: tuple[Route, ...] = (
    Route(
        "GET",
        "/health",
        "health",
        "Whether the server answers",
        (Answer(200, "It does.", "Health"),),
        needs_key=False,
    ),
    Route("GET", "/server", "get_server", "What is served here", (Answer(200, "The server.", "Server"),)),
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
            _RUNS,
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
    Route(
        "GET",
        "/sessions/{id}",
        "get_session",
        "A session",
        (Answer(200, "The session as it stands now, and what it adds up to.", "SessionDetails"), _NOT_FOUND),
    ),
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
        (_VIEW, _RUNS, _NOT_FOUND, _CONFLICT),
        body="Resume",
        parameters=(_PREFER,),
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/approve",
        "approve_session",
        "Allow or deny what waits for approval",
        (_VIEW, _RUNS, _NOT_FOUND, _CONFLICT),
        body="Approve",
        parameters=(_PREFER,),
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/cancel",
        "cancel_session",
        "Cancel a session and everything inside of it, or one call or actor of it",
        (Answer(200, "It, or that part of it, was cancelled.", "Cancelled"), _NOT_FOUND, _CONFLICT),
        body="Cancel",
        body_optional=True,
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/replay",
        "replay_session",
        "Run a session again from its record alone",
        (Answer(201, "How the new session ended.", "Replayed"), _RUNS, _NOT_FOUND, _CONFLICT),
        parameters=(_PREFER,),
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/branch",
        "branch_session",
        "A new session from an edited history",
        (Answer(201, "It ended or waits for a person.", "Session"), _RUNS, _NOT_FOUND, _CONFLICT),
        body="Branch",
        parameters=(_PREFER,),
        starts=True,
    ),
    Route(
        "POST",
        "/sessions/{id}/branch/preview",
        "preview_branch",
        "What a branch would share, make again, and may do",
        (Answer(200, "Nothing was done.", "BranchPreview"), _NOT_FOUND, _CONFLICT, _DAMAGED),
        body="Branch",
    ),
    Route(
        "POST",
        "/sessions/{id}/verify",
        "verify_session",
        "Run a session again from its record alone, to a call or to its end, and store nothing",
        (Answer(200, "How it went.", "Verified"), _NOT_FOUND, _CONFLICT),
        body="Verify",
        body_optional=True,
        starts=True,
    ),
    Route(
        "GET",
        "/sessions/{id}/forks",
        "get_forks",
        "The family of a session: where it comes from, and what comes from there",
        (Answer(200, "A tree.", "Family"), _NOT_FOUND, _DAMAGED),
    ),
    Route(
        "GET",
        "/sessions/{id}/commands",
        "get_commands",
        "Commands for a shell",
        (Answer(200, "What can be done with the session there.", "Commands"), _NOT_FOUND),
    ),
    Route(
        "GET",
        "/sessions/{id}/compare/{other}",
        "compare_sessions",
        "Two sessions call by call",
        (Answer(200, "A page.", "Comparison"), _NOT_FOUND, _WRONG, _DAMAGED),
        parameters=_COMPARED,
    ),
    Route(
        "GET",
        "/sessions/{id}/compare/{other}/calls",
        "compare_calls",
        "The calls of two sessions at one path",
        (Answer(200, "Both calls, line by line.", "CallComparison"), _NOT_FOUND, _DAMAGED),
        parameters=(Parameter("path", "query", TEXT, "The path of the call, such as 7/b1/3."),),
    ),
    Route(
        "GET",
        "/sessions/{id}/timeline",
        "get_timeline",
        "A part of a session's timeline: some of its actors, a span of time",
        (Answer(200, "The window, or that nothing changed.", "Timeline"), _NOT_FOUND, _WRONG, _DAMAGED),
        parameters=_WINDOW,
    ),
    Route(
        "GET",
        "/sessions/{id}/calls",
        "list_calls",
        "A session's calls by their seqs, those under way among them",
        (Answer(200, "A page.", "CallPage"), _NOT_FOUND, _WRONG, _DAMAGED),
        parameters=_CALLS,
    ),
    Route(
        "GET",
        "/sessions/{id}/calls/{seq}",
        "get_call",
        "Everything about one call",
        (Answer(200, "The call.", "CallDetail"), _NOT_FOUND, _WRONG, _DAMAGED),
        parameters=(Parameter("whole", "query", {**NUMBER, "maximum": 1}, "1: long args and results are not cut."),),
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

PATH_PARAMETERS: Mapping[str, Schema] = {"seq": SEQ, "other": SESSION_ID}
"""What stands for other names there."""
