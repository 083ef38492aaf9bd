"""Sessions as clients see them (wire contract, section 1)."""

from collections.abc import Sequence
from typing import Any

import orjson

from ..answers import OpenQuestion
from ..journal.json_text import rfc3339
from ..journal.runs import RunMeta

View = dict[str, Any]
_PENDING = ("seq", "path", "kind", "prompt", "choices", "default", "details", "target", "args")


def session_view(meta: RunMeta, questions: Sequence[OpenQuestion] | None) -> View:
    """A session; ``questions`` are those that a run under way has open now, None for one at rest."""
    pending = [_pending(question) for question in (meta.pending if questions is None else questions)]
    oldest: OpenQuestion = pending[0] if pending else {}
    asks = oldest.get("kind") in ("approval", "in_doubt")
    return {
        "id": meta.id,
        "run_id": meta.id,
        "status": meta.status,
        "input": raw_json(meta.input),
        "output": raw_json(meta.output),
        "error": error_text(meta),
        "call_count": meta.call_count,
        "pending_seq": oldest.get("seq"),
        "pending_prompt": oldest.get("prompt"),
        "pending_details": oldest.get("details"),
        "pending_approval": _approval(oldest) if asks else None,
        "pending": pending,
        "created_at": rfc3339(meta.created_at_ms),
        "warnings": list(meta.warnings),
        "error_details": meta.error,
    }


def list_item(meta: RunMeta) -> View:
    """A session in a list."""
    return {
        "id": meta.id,
        "run_id": meta.id,
        "status": meta.status,
        "error": error_text(meta),
        "created_at": rfc3339(meta.created_at_ms),
        "pending_prompt": meta.pending[0]["prompt"] if meta.pending else None,
    }


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
    if meta.error is None:
        return None
    message, location = str(meta.error.get("message", "")), meta.error.get("location")
    return f"{location}: {message}" if location else message


def _pending(question: OpenQuestion) -> View:
    choices = question["choices"]
    return {name: question[name] for name in _PENDING} | {"choices": None if choices is None else list(choices)}


def _approval(question: OpenQuestion) -> View:
    return {"target": question["target"], "args": question["args"], "reason": question["prompt"]}
