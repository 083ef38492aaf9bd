"""A run's calls as lines for people, and as JSON for programs."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import orjson

from .. import exact_json
from ..call_labels import model_of, short_args
from ..call_places import CallPlaces, actor_sources
from ..clipping import clip
from ..history import INTERRUPTED, current_status
from ..journal.actors import ActorMeta
from ..journal.json_text import parse_json, rfc3339
from ..journal.lanes import Settled, Started
from ..journal.records import call_path, error_text
from ..journal.runs import RunMeta
from ..journal.store import Store
from ..journal.tree import RunTree, TreeActor, run_tree
from ..totals import Totals, failed_attempts, run_totals
from .call_words import failure_text, waits_for
from .plain_text import counted, duration_text
from .screen import printable

JsonObject = dict[str, Any]


class Caller(Protocol):
    """The actor that made a call; ``meta`` is None for the root."""

    @property
    def path(self) -> str: ...

    @property
    def meta(self) -> ActorMeta | None: ...


@dataclass(frozen=True, slots=True)
class TracedCall:
    """A call, what it came to if it has ended, and whose it is."""

    actor: Caller
    call: Started
    settled: Settled | None

    @property
    def path(self) -> str:
        return call_path(self.actor.path, self.call.ordinal)

    @property
    def name(self) -> str:
        """The function, behind the branch that the call was made in."""
        meta = self.actor.meta
        function = self.call.function
        return function if meta is None or meta.kind != "branch" else f"b{meta.index} {function}"


@dataclass(frozen=True, slots=True)
class Trace:
    """A run's calls, of all actors, in the order in which they began."""

    meta: RunMeta
    status: str
    tree: RunTree
    calls: list[TracedCall]
    totals: Totals
    place: Callable[[TracedCall], str]
    """``file:line:column`` of the call in the agent's own source, or empty."""
    ended_ms: int
    """When the last thing happened, in milliseconds since 1970."""


def read_trace(store: Store, meta: RunMeta) -> Trace:
    """Everything that is to be said of the run's calls.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    tree = run_tree(store, meta)
    status = current_status(store, meta)
    calls = [traced for actor in tree.actors for traced in _calls(actor)]
    return Trace(
        meta=meta,
        status=status,
        tree=tree,
        calls=sorted(calls, key=lambda traced: traced.call.seq),
        totals=run_totals(store, meta),
        place=_places(store, meta, tree),
        ended_ms=_last_ms(meta, status, tree),
    )


def _calls(actor: TreeActor) -> Iterator[TracedCall]:
    settled = actor.settled
    return (TracedCall(actor, call, settled.get(call.ordinal)) for call in actor.calls)


def _last_ms(meta: RunMeta, status: str, tree: RunTree) -> int:
    if status not in ("running", INTERRUPTED):
        return meta.updated_at_ms
    return max((entry.at_ms for actor in tree.actors for entry in actor.entries), default=meta.created_at_ms)


def _places(store: Store, meta: RunMeta, tree: RunTree) -> Callable[[TracedCall], str]:
    places = CallPlaces(store, f"run {meta.id}")
    sources = actor_sources(meta.bundle, (actor.meta for actor in tree.actors if actor.meta is not None))

    def place(traced: TracedCall) -> str:
        return str(places.find(sources[traced.actor.path], traced.call.site) or "")

    return place


def render_trace(store: Store, meta: RunMeta) -> Iterator[str]:
    """A line a call, indented by parent and in the order of start within a parent, then the totals.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    trace = read_trace(store, meta)
    seq_width = len(str(max((traced.call.seq for traced in trace.calls), default=0))) + 1
    name_width = max((len(traced.name) for traced in trace.calls), default=0)
    for depth, traced in _in_order(trace.calls):
        name = f"{traced.name:<{name_width}}"
        outcome = [_under_way(trace, traced)] if traced.settled is None else outcome_parts(traced.settled)
        yield call_line(meta, traced, name, outcome, trace.place(traced), seq_width=seq_width, depth=depth)
    yield from total_lines(trace)


def call_line(
    meta: RunMeta, traced: TracedCall, name: str, outcome: Iterable[str], place: str, *, seq_width: int, depth: int = 0
) -> str:
    """A call of the run ``meta`` on one line."""
    call, settled = traced.call, traced.settled
    took = "…" if settled is None else duration_text(settled.duration_ms)
    offset = "+" + duration_text(call.at_ms - meta.created_at_ms)
    head = f"{f'#{call.seq}':<{seq_width}}  {offset:>9}  {took:>8}  "
    args = parse_json(call.args)
    told = [short_args(call.function, args), model_of(call.function, args) or ""]
    parts = [name, *told, *outcome, f"({place})" if place else ""]
    return printable(head + "  " * depth + "  ".join(part for part in parts if part))


def _in_order(calls: Iterable[TracedCall]) -> Iterator[tuple[int, TracedCall]]:
    """Each call with its depth, followed by those inside of it, branch by branch."""
    inside: dict[int | None, list[TracedCall]] = {None: []}
    for traced in calls:
        parent = traced.call.parent_seq
        inside[traced.call.seq] = []
        inside[parent if parent in inside else None].append(traced)
    waiting = [(0, traced) for traced in reversed(inside[None])]
    while waiting:
        depth, traced = waiting.pop()
        yield depth, traced
        within = sorted(inside[traced.call.seq], key=_branch, reverse=True)
        waiting += ((depth + 1, each) for each in within)


def _branch(traced: TracedCall) -> tuple[int, int]:
    return 0 if traced.actor.meta is None else traced.actor.meta.index, traced.call.seq


def outcome_parts(settled: Settled) -> Iterator[str]:
    """What a call came to, as far as it is worth telling."""
    if settled.token_usage is not None:
        usage = settled.token_usage
        yield f"{usage.get('input_tokens', 0)} in/{usage.get('output_tokens', 0)} out"
    failed = failed_attempts(settled)
    if failed:
        yield f"[{counted(failed, 'failed attempt')}]"
    if (printed := settled.notes.get("printed")) is not None:
        yield f"printed {clip(orjson.dumps(printed).decode())}"
    error = error_text(settled)
    if error is not None:
        yield failure_text(error)


def _under_way(trace: Trace, traced: TracedCall) -> str:
    """What a call without an outcome is doing."""
    for question in trace.meta.pending:
        if question["seq"] == traced.call.seq:
            return waits_for(question["kind"])
    if trace.meta.pending:
        return "waits for what is inside of it"
    return INTERRUPTED if trace.status == INTERRUPTED else "under way"


def total_lines(trace: Trace) -> Iterator[str]:
    """An empty line, how the run stands, and what its calls add up to."""
    return map(printable, _totals(trace))


def _totals(trace: Trace) -> Iterator[str]:
    meta, totals = trace.meta, trace.totals
    yield ""
    yield f"run {meta.id}: {trace.status}"
    if meta.error is not None and trace.status == "failed":
        yield f"error: {clip(str(meta.error.get('message', '')))}"
    calls = ", ".join(f"{count} {name}" for name, count in totals.calls.most_common())
    yield f"{counted(totals.calls.total(), 'call')}" + (f": {calls}" if calls else "")
    branch = meta.branch
    if branch is not None:
        parent, at_seq = branch["parent_run_id"], branch["at_seq"]
        shared = sum(len(actor.settled_before(int(branch["at_index"]))) for actor in trace.tree.actors)
        what = "a replay" if at_seq is None else f"a branch at #{at_seq}"
        yield f"and {counted(shared, 'call')} shared with run {parent}, of which it is {what}"
    yield f"wall time {duration_text(trace.ended_ms - meta.created_at_ms)}"
    if totals.models:
        yield f"tokens {totals.input_tokens} in, {totals.output_tokens} out, cost {totals.cost_text()}"
    if totals.attempts:
        yield f"{counted(totals.attempts, 'failed attempt')} tried again"
    for warning in _warnings(trace):
        yield f"warning: {warning}"


def _warnings(trace: Trace) -> Iterator[str]:
    yield from trace.meta.warnings
    for traced in trace.calls:
        said = traced.settled.notes.get("warnings") if traced.settled else None
        # Of another implementation's run a field of that name may be anything.
        for warning in said if isinstance(said, list) else ():
            yield f"#{traced.call.seq} {traced.call.function}: {warning}"


def trace_json(store: Store, meta: RunMeta) -> bytes:
    """``{run_id, status, wall_ms, calls, totals, warnings}``: ``calls`` are the records in the order of their start,
    with ``offset_ms`` and ``place``; a call without an outcome has ``state``, and ``duration_ms`` is null.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    trace = read_trace(store, meta)
    by_path = {record["path"]: record for record in trace.tree.records(meta.origin_run_id)}
    document = {
        "run_id": meta.id,
        "status": trace.status,
        "wall_ms": trace.ended_ms - meta.created_at_ms,
        "calls": [
            (by_path.get(traced.path) or _open_record(trace, traced))
            | {"offset_ms": traced.call.at_ms - meta.created_at_ms, "place": trace.place(traced) or None}
            for traced in trace.calls
        ],
        "totals": trace.totals.to_json(),
        "warnings": list(_warnings(trace)),
    }
    return exact_json.dumps(document, option=orjson.OPT_INDENT_2)


def _open_record(trace: Trace, traced: TracedCall) -> JsonObject:
    call = traced.call
    inside = {} if call.parent_seq is None else {"parent_seq": call.parent_seq}
    return {
        "seq": call.seq,
        **inside,
        "function": call.function,
        "args": parse_json(call.args),
        "result": None,
        "duration_ms": None,
        "timestamp": rfc3339(call.at_ms),
        "path": traced.path,
        "actor": traced.actor.path,
        "state": _under_way(trace, traced),
    }
