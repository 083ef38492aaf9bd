"""The calls of a checkpoint file as a lane has them, the unanswered ones included."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from .checkpoint_fields import LATEST_MS, Fields, unusable
from .journal.checkpoint import Checkpoint, checkpoint_entries
from .journal.json_text import milliseconds_since_1970
from .journal.lanes import Entry, Settled, Started

_QUESTION_KINDS = ("input", "approval", "in_doubt")
_UNKNOWN_AFTER = -1


def imported_entries(checkpoint: Checkpoint, manifest: Fields) -> list[Entry]:
    """The lane of the run: the calls of the log, then those that had no answer yet, which only our own files have.

    Raises:
        ChidoriError: the file has a value that a call cannot have.
    """
    entries = [_checked(entry) for entry in checkpoint_entries(checkpoint)]
    return entries if checkpoint.run is None else entries + _open_calls(manifest, entries)


def _checked(entry: Entry) -> Entry:
    if not 0 <= entry.at_ms <= LATEST_MS:
        raise unusable(f"the time of call {entry.ordinal} is out of range")
    if isinstance(entry, Started):
        if entry.args == b"null":
            return replace(entry, args=b"{}")
        if not entry.args.startswith(b"{"):
            raise unusable(f"`args` of call {entry.ordinal} is not an object")
    elif isinstance(entry, Settled) and entry.token_usage is not None:
        counts = {name: count for name, count in entry.token_usage.items() if isinstance(count, int)}
        return replace(entry, token_usage=counts)
    return entry


def _open_calls(manifest: Fields, entries: Sequence[Entry]) -> list[Entry]:
    """The calls that the manifest knows and the log does not. Their places among the deliveries are not known."""
    logged = {entry.ordinal for entry in entries}
    calls: list[Entry] = []
    for promise in manifest.objects("host_promises"):
        operation = promise.object("operation") or Fields(promise.where, {})
        call = _started(operation)
        if call.ordinal not in logged:
            calls.append(call)
    return calls


def _started(operation: Fields) -> Started:
    ordinal, seq, args = operation.text("id"), operation.number("seq"), operation.object("args")
    function, created_at = operation.text("function"), operation.text("created_at")
    if not ordinal or not ordinal.isdecimal() or not seq or args is None or not function or not created_at:
        raise unusable(f"`{operation.where}` is not a call")
    try:
        at_ms = milliseconds_since_1970(created_at)
    except ValueError:
        raise unusable(f"`{operation.where}.created_at` is not a time in RFC 3339") from None
    checked = _checked(Started(int(ordinal), seq, _UNKNOWN_AFTER, function, orjson.dumps(args.values), at_ms))
    assert isinstance(checked, Started)
    return checked


def imported_questions(manifest: Fields, entries: Sequence[Entry]) -> tuple[dict[str, Any], ...]:
    """The questions that were open, each of a call that is in ``entries`` without an answer."""
    ended = {entry.ordinal for entry in entries if isinstance(entry, Settled)}
    waiting = {
        entry.seq: str(entry.ordinal) for entry in entries if isinstance(entry, Started) and entry.ordinal not in ended
    }
    questions = []
    for fields in manifest.objects("questions"):
        seq, kind, prompt = fields.number("seq"), fields.text("kind"), fields.text("prompt")
        if seq not in waiting or kind not in _QUESTION_KINDS or prompt is None:
            raise unusable(f"`{fields.where}` is not an open question")
        details, args = fields.object("details"), fields.object("args")
        questions.append(
            {
                "seq": seq,
                "path": waiting[seq],
                "kind": kind,
                "prompt": prompt,
                "choices": fields.texts("choices"),
                "default": fields.text("default"),
                "details": None if details is None else details.values,
                "target": fields.text("target"),
                "args": None if args is None else args.values,
            }
        )
    return tuple(questions)
