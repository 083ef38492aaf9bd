"""A run's calls as lines for people, and as JSON for programs."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from ..history import INTERRUPTED, current_status, stored_bundle
from ..journal.json_text import parse_json, rfc3339
from ..journal.lanes import Entry, Settled, Started, apply_retries, read_lane
from ..journal.records import call_records, error_text
from ..journal.runs import RunMeta
from ..journal.store import Store
from ..languages.bundle import Bundle
from ..session.failure import place_of
from ..totals import Totals, failed_attempts
from .call_words import failure_text, waits_for
from .plain_text import clip, counted, duration_text
from .screen import printable

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    """A run's calls in the order in which they began, each with its settlement if it has ended."""

    meta: RunMeta
    status: str
    calls: list[Started]
    settled: Mapping[int, Settled]
    totals: Totals
    place: Callable[[Started], str]
    """``file:line:column`` of the call in the agent's own source, or empty."""
    ended_ms: int
    """When the last thing happened, in milliseconds since 1970."""


def read_trace(store: Store, meta: RunMeta) -> Trace:
    """Everything that is to be said of the run's calls.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    totals = Totals()
    entries = apply_retries(totals.following(read_lane(store, meta.lane)))
    status = current_status(store, meta)
    return Trace(
        meta=meta,
        status=status,
        calls=sorted((entry for entry in entries if isinstance(entry, Started)), key=lambda call: call.seq),
        settled={entry.ordinal: entry for entry in entries if isinstance(entry, Settled)},
        totals=totals,
        place=_places(stored_bundle(store, meta)),
        ended_ms=_last_ms(meta, status, entries),
    )


def _last_ms(meta: RunMeta, status: str, entries: Iterable[Entry]) -> int:
    if status not in ("running", INTERRUPTED):
        return meta.updated_at_ms
    return max((entry.at_ms for entry in entries), default=meta.created_at_ms)


def _places(bundle: Bundle | None) -> Callable[[Started], str]:
    """Looks up every place once: agents make many calls from few places."""
    known: dict[str | None, str] = {}

    def place(call: Started) -> str:
        if bundle is None:
            return ""
        if call.site not in known:
            known[call.site] = place_of(call.site, bundle)
        return known[call.site]

    return place


def render_trace(store: Store, meta: RunMeta) -> Iterator[str]:
    """A line a call, indented by parent, then the totals.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    trace = read_trace(store, meta)
    depth: dict[int, int] = {}
    seq_width = len(str(max((call.seq for call in trace.calls), default=0))) + 1
    name_width = max((len(call.function) for call in trace.calls), default=0)
    for call in trace.calls:
        depth[call.seq] = 0 if call.parent_seq is None else depth.get(call.parent_seq, -1) + 1
        settled = trace.settled.get(call.ordinal)
        took = "…" if settled is None else duration_text(settled.duration_ms)
        offset = "+" + duration_text(call.at_ms - meta.created_at_ms)
        head = f"{f'#{call.seq}':<{seq_width}}  {offset:>9}  {took:>8}  "
        parts = [
            f"{call.function:<{name_width}}",
            short_args(call.function, parse_json(call.args)),
            *_outcome(trace, call, settled),
        ]
        place = trace.place(call)
        if place:
            parts.append(f"({place})")
        yield printable(head + "  " * depth[call.seq] + "  ".join(part for part in parts if part))
    for line in _totals(trace):
        yield printable(line)


def _outcome(trace: Trace, call: Started, settled: Settled | None) -> Iterator[str]:
    if settled is None:
        yield _under_way(trace, call)
        return
    if settled.token_usage is not None:
        usage = settled.token_usage
        yield f"{usage.get('input_tokens', 0)} in/{usage.get('output_tokens', 0)} out"
    failed = failed_attempts(settled)
    if failed:
        yield f"[{counted(failed, 'failed attempt')}]"
    error = error_text(settled)
    if error is not None:
        yield failure_text(error)


def _under_way(trace: Trace, call: Started) -> str:
    """What a call without an outcome is doing."""
    for question in trace.meta.pending:
        if question["seq"] == call.seq:
            return waits_for(question["kind"])
    return INTERRUPTED if trace.status == INTERRUPTED else "under way"


def _totals(trace: Trace) -> Iterator[str]:
    meta, totals = trace.meta, trace.totals
    yield ""
    yield f"run {meta.id}: {trace.status}"
    if meta.error is not None and trace.status == "failed":
        yield f"error: {clip(str(meta.error.get('message', '')))}"
    calls = ", ".join(f"{count} {name}" for name, count in totals.calls.most_common())
    yield f"{counted(totals.calls.total(), 'call')}" + (f": {calls}" if calls else "")
    yield f"wall time {duration_text(trace.ended_ms - meta.created_at_ms)}"
    if totals.models:
        yield f"tokens {totals.input_tokens} in, {totals.output_tokens} out, cost {totals.cost_text()}"
    if totals.attempts:
        yield f"{counted(totals.attempts, 'failed attempt')} tried again"
    for warning in _warnings(trace):
        yield f"warning: {warning}"


def _warnings(trace: Trace) -> Iterator[str]:
    yield from trace.meta.warnings
    for call in trace.calls:
        settled = trace.settled.get(call.ordinal)
        said = settled.notes.get("warnings") if settled else None
        # Of another implementation's run a field of that name may be anything.
        for warning in said if isinstance(said, list) else ():
            yield f"#{call.seq} {call.function}: {warning}"


def trace_json(store: Store, meta: RunMeta) -> bytes:
    """``{run_id, status, wall_ms, calls, totals, warnings}``: ``calls`` are the records in the order of their start,
    with ``offset_ms`` and ``place``; a call without an outcome has ``state``, and ``duration_ms`` is null.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    trace = read_trace(store, meta)
    ended = call_records([*trace.calls, *trace.settled.values()], origin_run_id=meta.origin_run_id)
    by_seq = {record["seq"]: record for record in ended}
    document = {
        "run_id": meta.id,
        "status": trace.status,
        "wall_ms": trace.ended_ms - meta.created_at_ms,
        "calls": [
            (by_seq.get(call.seq) or _open_record(trace, call))
            | {"offset_ms": call.at_ms - meta.created_at_ms, "place": trace.place(call) or None}
            for call in trace.calls
        ],
        "totals": trace.totals.to_json(),
        "warnings": list(_warnings(trace)),
    }
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


def _open_record(trace: Trace, call: Started) -> JsonObject:
    return {
        "seq": call.seq,
        "function": call.function,
        "args": parse_json(call.args),
        "result": None,
        "duration_ms": None,
        "timestamp": rfc3339(call.at_ms),
        "path": str(call.ordinal),
        "state": _under_way(trace, call),
    }


_TOLD_BY: Mapping[str, tuple[str, ...]] = {
    "prompt": ("model", "text"),
    "input": ("prompt",),
    "http": ("method", "url"),
    "template": ("template",),
    "memory": ("action", "namespace", "key", "prefix"),
    "checkpoint": ("label",),
    "log": ("message",),
    "timer": ("ms",),
    "env": ("name",),
    "tool": ("name", "kwargs"),
    "call_agent": ("path", "input"),
}
"""The args by which a person knows a call."""


def short_args(function: str, args: Any) -> str:
    """A call's args on one line, cut when they are long."""
    names = _TOLD_BY.get(function, ())
    if not isinstance(args, Mapping) or not any(name in args for name in names):
        return clip(orjson.dumps(args).decode())
    told = (args.get(name) for name in names)
    return clip(" ".join(_told(value) for value in told if value is not None))


def _told(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
