"""The calls of a checkpoint file as the lanes of its actors, the unanswered ones included."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from . import exact_json
from .checkpoint_fields import LATEST_MS, Fields
from .journal.checkpoint import CALL_PATH, Checkpoint, bad_checkpoint
from .journal.checkpoint_lanes import actor_of, calls_by_actor, checkpoint_entries
from .journal.json_text import milliseconds_since_1970
from .journal.lanes import Entry, Settled, Started
from .journal.records import Record, call_path, described_start

_QUESTION_KINDS = ("input", "approval", "in_doubt")
_UNKNOWN_AFTER = -1

Lanes = Mapping[str, Sequence[Entry]]
"""By the path of the actor, which is empty for the root."""


def imported_lanes(checkpoint: Checkpoint, manifest: Fields, inherited: Mapping[str, Sequence[Settled]]) -> Lanes:
    """The lanes of the root and of the actors that are the keys of ``inherited``, which has what each of them was
    given of its parent's: the calls of the log, and those that had no answer yet, which only our own manifests have.

    Raises:
        ChidoriError: the file has a value that a call cannot have.
    """
    unanswered = _open_calls(checkpoint, manifest) if knows_open_calls(manifest) else {}
    by_actor = calls_by_actor(checkpoint.call_log)
    ours = checkpoint.run is not None
    lanes: dict[str, Sequence[Entry]] = {}
    for actor in ("", *inherited):
        calls = by_actor.get(actor, ())
        ended = {ordinal for ordinal, _, _ in calls}
        still_open = [call for call in unanswered.get(actor, ()) if call.ordinal not in ended]
        given = inherited.get(actor, ())
        entries = checkpoint_entries(calls, ours=ours, open_calls=still_open, inherited=given)
        lanes[actor] = [_checked(entry, actor) for entry in entries]
    _check_seqs(lanes)
    return lanes


def knows_open_calls(manifest: Fields) -> bool:
    """Whether the manifest is one of ours: its operations are named by the paths of their calls."""
    return "questions" in manifest.values


def with_manifest_facts(checkpoint: Checkpoint, manifest: Fields) -> Checkpoint:
    """The checkpoint with what our manifest knows of the calls and a record that a server gave does not: where each
    stood among the deliveries, and the millisecond in which it ended, which is the agent's clock.

    Raises:
        ChidoriError: the manifest has a value that a call cannot have.
    """
    if checkpoint.run is not None or not knows_open_calls(manifest):
        return checkpoint
    facts = dict(_facts(promise) for promise in manifest.objects("host_promises"))
    records = ({**facts.get(record.get("path", ""), {}), **record} for record in checkpoint.call_log)
    return replace(checkpoint, call_log=tuple(records))


def _facts(promise: Fields) -> tuple[str, Record]:
    path, call = _started(promise.object("operation") or Fields(promise.where, {}))
    facts = described_start(call)
    # It is the string `pending` when the call has not ended.
    state = promise.object("state") if promise.values.get("state") != "pending" else None
    ended = state and (state.object("resolved") or state.object("rejected"))
    completed_at = ended and ended.text("completed_at")
    if ended and completed_at:
        facts["settled_at_ms"] = _milliseconds(completed_at, f"{ended.where}.completed_at")
    return path, facts


def _milliseconds(text: str, where: str) -> int:
    try:
        return milliseconds_since_1970(text)
    except ValueError:
        raise bad_checkpoint(f"`{where}` is not a time in RFC 3339") from None


def _check_seqs(lanes: Lanes) -> None:
    seqs: set[int] = set()
    for actor, entries in lanes.items():
        for entry in entries:
            if isinstance(entry, Started):
                if entry.seq in seqs:
                    raise bad_checkpoint(f"`seq` of call {call_path(actor, entry.ordinal)} is that of another call")
                seqs.add(entry.seq)


def _checked(entry: Entry, actor: str) -> Entry:
    path = call_path(actor, entry.ordinal)
    if not 0 <= entry.at_ms <= LATEST_MS:
        raise bad_checkpoint(f"the time of call {path} is out of range")
    if isinstance(entry, Started):
        if entry.args == b"null":
            return replace(entry, args=b"{}")
        if not entry.args.startswith(b"{"):
            raise bad_checkpoint(f"`args` of call {path} is not an object")
    elif isinstance(entry, Settled) and entry.token_usage is not None:
        counts = {name: count for name, count in entry.token_usage.items() if isinstance(count, int)}
        return replace(entry, token_usage=counts)
    return entry


def _open_calls(checkpoint: Checkpoint, manifest: Fields) -> Mapping[str, Sequence[Started]]:
    """By actor: the calls that the manifest knows and the log does not."""
    logged = {record.get("path") for record in checkpoint.call_log}
    calls: defaultdict[str, list[Started]] = defaultdict(list)
    for promise in manifest.objects("host_promises"):
        operation = promise.object("operation") or Fields(promise.where, {})
        path, call = _started(operation)
        if path not in logged:
            calls[path.rpartition("/")[0]].append(call)
    return calls


def _started(operation: Fields) -> tuple[str, Started]:
    path, seq, args = operation.text("id"), operation.number("seq"), operation.object("args")
    function, created_at = operation.text("function"), operation.text("created_at")
    if not path or not CALL_PATH.fullmatch(path) or not seq or args is None or not function or not created_at:
        raise bad_checkpoint(f"`{operation.where}` is not a call")
    at_ms = _milliseconds(created_at, f"{operation.where}.created_at")
    after = operation.number("after")
    return path, Started(
        ordinal=int(path.rpartition("/")[2]),
        seq=seq,
        after=_UNKNOWN_AFTER if after is None else after,
        function=function,
        args=exact_json.dumps(args.values),
        at_ms=at_ms,
        site=operation.text("site"),
        parent_seq=operation.number("parent_seq"),
        attempt=operation.number("attempt") or 1,
    )


def imported_questions(manifest: Fields, lanes: Lanes, *, whole: bool) -> tuple[dict[str, Any], ...]:
    """The questions that were open, each of a call that is in ``lanes`` without an answer. Unless the lanes are the
    ``whole`` run, questions of other calls are left out: those are made again.

    Raises:
        ChidoriError: one of them cannot be.
    """
    waiting: dict[int, str] = {}
    for actor, entries in lanes.items():
        ended = {entry.ordinal for entry in entries if isinstance(entry, Settled)}
        calls = (entry for entry in entries if isinstance(entry, Started) and entry.ordinal not in ended)
        waiting |= {call.seq: call_path(actor, call.ordinal) for call in calls}
    questions = manifest.objects("questions")
    if not whole:
        questions = [fields for fields in questions if fields.number("seq") in waiting]
    return tuple(_question(fields, waiting) for fields in questions)


def _question(fields: Fields, waiting: Mapping[int, str]) -> dict[str, Any]:
    seq, kind, prompt = fields.number("seq"), fields.text("kind"), fields.text("prompt")
    if seq is None or seq not in waiting or kind not in _QUESTION_KINDS or prompt is None:
        raise bad_checkpoint(f"`{fields.where}` is not an open question")
    details, args = fields.object("details"), fields.object("args")
    return {
        "seq": seq,
        "path": waiting[seq],
        "kind": kind,
        "prompt": prompt,
        "choices": fields.texts("choices"),
        "default": fields.text("default"),
        "details": None if details is None else details.values,
        "target": fields.text("target"),
        "args": None if args is None else args.values,
        "reason": fields.text("reason"),
    }


def calls_made_again(checkpoint: Checkpoint, actors: Iterable[str]) -> int:
    """How many calls of the log are in none of ``actors`` and will be made again: the call that contains them has no
    record that could answer for it."""
    known = {"", *actors}
    by_seq = {record["seq"]: record for record in checkpoint.call_log}
    left_out = (record for record in checkpoint.call_log if actor_of(record) not in known)
    return sum(not _is_answered_for(record, by_seq) for record in left_out)


def _is_answered_for(record: Record, by_seq: Mapping[int, Record]) -> bool:
    while "parent_seq" in record:
        # A call begins after the one that contains it; anything else leads nowhere.
        container = by_seq.get(record["parent_seq"])
        if container is None or container["seq"] >= record["seq"]:
            return False
        record = container
    return actor_of(record) == ""
