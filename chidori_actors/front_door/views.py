"""Sessions as clients see them (wire contract, section 1)."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from ..answers import OpenQuestion
from ..history import INTERRUPTED, current_status
from ..journal.call_count import recorded_calls
from ..journal.json_text import rfc3339
from ..journal.runs import RunMeta
from ..journal.store import Store

View = dict[str, Any]
_INTERRUPTED = (
    'the run was interrupted, and no process works on it: POST /sessions/{id}/resume with {"retry": true} lets it go on'
)
_PENDING = ("seq", "path", "kind", "prompt", "choices", "default", "details", "target", "args")


def session_view(meta: RunMeta, questions: Sequence[OpenQuestion] | None) -> View:
    """A session; ``questions`` are those that a run under way has open now, None for one at rest.

    ``meta`` has the calls and warnings of this moment (``as_it_stands``)."""
    asked = meta.pending if questions is None else questions
    oldest: OpenQuestion = asked[0] if asked else {}
    asks = oldest.get("kind") in ("approval", "in_doubt")
    return {
        "id": meta.id,
        "run_id": meta.id,
        "status": meta.status,
        "input": raw_json(meta.input),
        "output": raw_json(meta.output),
        "error": error_text(meta),
        "call_count": meta.calls,
        "pending_seq": oldest.get("seq"),
        "pending_prompt": oldest.get("prompt"),
        "pending_details": oldest.get("details"),
        "pending_approval": _approval(oldest) if asks else None,
        "pending": [question_view(question) for question in asked],
        "created_at": rfc3339(meta.created_at_ms),
        "warnings": list(meta.warnings),
        "error_details": meta.error,
    }


def as_it_stands(store: Store, meta: RunMeta, *, is_live: bool) -> RunMeta:
    """What the store knows of a session, with what it says of a run only at rest; ``is_live``: it is under way here."""
    if meta.status != "running":
        return meta
    meta = replace(meta, calls=recorded_calls(store, meta))
    if is_live or current_status(store, meta) != INTERRUPTED:
        return meta
    return replace(meta, warnings=(*meta.warnings, _INTERRUPTED))


def done_event(meta: RunMeta) -> View:
    """The last event of a stream (section 2)."""
    if meta.status == "completed":
        return {"id": meta.id, "status": "completed", "output": raw_json(meta.output)}
    if meta.status in ("failed", "cancelled"):
        return {"id": meta.id, "status": meta.status, "error": error_text(meta)}
    view = session_view(meta, None)
    asked = {name: view[name] for name in ("pending_seq", "pending_prompt", "pending")}
    return {"id": meta.id, "status": "paused", **asked}


def raw_json(text: bytes | None) -> orjson.Fragment | None:
    """JSON text as it stands: it may be nested as deep as the writer of JSON goes, and the view is around it."""
    return None if text is None else orjson.Fragment(text)


def error_text(meta: RunMeta) -> str | None:
    """Why a session failed or was cancelled, with the place in the agent's own file."""
    return None if meta.error is None else located(meta.error)


def located(error: Mapping[str, Any]) -> str:
    """An agent's error with its place."""
    message, location = str(error.get("message", "")), error.get("location")
    return f"{location}: {message}" if location else message


def question_view(question: OpenQuestion) -> View:
    """An open question of a session."""
    choices = question["choices"]
    view = {name: question[name] for name in _PENDING}
    return {**view, "choices": None if choices is None else list(choices), "reason": question.get("reason")}


def _approval(question: OpenQuestion) -> View:
    return {"target": question["target"], "args": question["args"], "reason": question.get("reason")}
