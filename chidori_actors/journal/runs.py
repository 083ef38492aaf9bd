"""What the store knows of a run besides its calls."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast, get_args

from ..errors import RunNotFound, StoreError
from .families import child_writes
from .framing import damaged, frame_fields, read_header, unframe_fields
from .idempotency import key_write
from .run_ids import is_run_id
from .store import Store, Write

ABI: Mapping[str, Any] = {"typescript_runtime": 1, "quickjs_snapshot": 1, "engine_fork": "chidori-quickjs"}
"""Compatibility numbers: a run can be continued by every runtime that has the same."""

Status = Literal["running", "completed", "failed", "cancelled", "paused", "awaitingapproval"]

_SHORTEST_PREFIX = 4
_TIME_BYTES = 8
_NAMED = 5
_TEXTS = ("input", "output")


@dataclass(frozen=True, slots=True)
class RunMeta:
    """One run. ``input`` and ``output`` are JSON text; times are milliseconds since 1970, UTC.

    ``agent`` is the entry's path; ``lane`` is the root actor's. ``seed`` is hexadecimal; ``epoch_ms`` is the start
    time given to the VM; ``policy`` has the fields of ``settings.RuntimePolicy``; ``bundle`` is the hash of the source
    bundle in ``blobs``; ``error`` is ``{message, stack?, location?}``; ``pending`` are the open questions (wire
    contract, section 1); ``failed_ordinal`` is the call whose error ended the run. ``branch`` is where a branch from
    history left its parent: ``{parent_run_id, at_seq, at_index, note?}``, ``lineage`` the same of an imported run,
    whose parent need not be here: ``{parent_run_id, at_seq}``. ``tool_folders`` are the directories of tools that were
    named when the run was started. ``served`` runs were created by a server, which takes them up again by itself
    when they are interrupted: ``tries`` is how many lives in a row, the present one included, each ended before
    another call did, should this one too; those that were stopped in order do not count. ``attempt_number`` and
    ``idempotency_key`` are the client's own, ``policy_profile`` is what it wants to be held to at least.
    ``replayed_calls`` is how many calls were in its record when it was stored: the first events of its streams.
    ``call_count`` is the highest seq given out, and ``calls`` how many calls are in its record, both as of when it last
    came to rest or went on; ``counted_events`` is the number of its newest event then (``call_count.recorded_calls``).
    """

    id: str
    agent: str
    status: Status
    input: bytes
    created_at_ms: int
    updated_at_ms: int
    seed: str
    epoch_ms: int
    lane: int
    policy: Mapping[str, str]
    abi: Mapping[str, Any] = field(default_factory=lambda: dict(ABI))
    output: bytes | None = None
    error: Mapping[str, Any] | None = None
    model: str | None = None
    bundle: str | None = None
    call_count: int = 0
    pending: tuple[Mapping[str, Any], ...] = ()
    failed_ordinal: int | None = None
    origin_run_id: str | None = None
    warnings: tuple[str, ...] = ()
    branch: Mapping[str, Any] | None = None
    lineage: Mapping[str, Any] | None = None
    tool_folders: tuple[str, ...] = ()
    served: bool = False
    tries: int = 0
    attempt_number: int | None = None
    idempotency_key: str | None = None
    policy_profile: str | None = None
    replayed_calls: int = 0
    calls: int = 0
    counted_events: int = 0


@dataclass(frozen=True, slots=True)
class RunPage:
    """Some runs, newest first; ``next_cursor`` is None when there are no more.

    ``damaged`` are the ids of those in between whose description cannot be read; nobody knows their status.
    """

    runs: list[RunMeta]
    damaged: list[str]
    next_cursor: str | None


def run_writes(meta: RunMeta, *, new: bool) -> list[Write]:
    """The writes that put the run into the store; ``new`` enters it into the list of runs too.

    Raises:
        ValueError: the id is not one (``is_run_id``).
    """
    if not is_run_id(meta.id):
        raise ValueError(f"not a run id: {meta.id!r}")
    value, writes = frame_fields(meta, _TEXTS)
    writes.append(Write("runs", meta.id.encode(), value))
    if new:
        writes.append(Write("by_time", time_key(meta), b""))
        writes += child_writes(meta)
        if meta.idempotency_key is not None:
            writes.append(key_write(meta.idempotency_key, meta.id))
    return writes


def time_key(meta: RunMeta) -> bytes:
    """Where ``by_time`` lists the run."""
    return meta.created_at_ms.to_bytes(_TIME_BYTES, "big") + meta.id.encode()


def decode_run(store: Store, run_id: str, value: bytes, *, blobs: bool = True) -> RunMeta:
    """The run of that id from its stored value. Without ``blobs``, an input or output that lies in one (of more than
    4 KB) is empty.

    Raises:
        StoreError: it is damaged.
    """
    what = f"the description of run {run_id}"
    fields = unframe_fields(store, value, what, RunMeta, _TEXTS, blobs=blobs)
    try:
        meta = RunMeta(**{**fields, "input": b"null" if fields["input"] is None else fields["input"]})
        folders = tuple(meta.tool_folders)
        return replace(meta, pending=tuple(meta.pending), warnings=tuple(meta.warnings), tool_folders=folders)
    except (TypeError, ValueError) as error:
        raise damaged(store, what) from error


def stored_status(store: Store, run_id: str, value: bytes) -> Status:
    """The status of the run of that id from its stored value, without a look at its input and output.

    Raises:
        StoreError: it is damaged.
    """
    what = f"the description of run {run_id}"
    status = read_header(store, value, what).get("status")
    if status not in get_args(Status):
        raise damaged(store, what)
    return cast(Status, status)


def get_run(store: Store, run_id: str, *, blobs: bool = True) -> RunMeta:
    """The run of that id, or of the only id that begins with it (at least 4 characters); ``blobs``: see ``decode_run``.

    Raises:
        RunNotFound: there is none, or several begin so.
        StoreError: its description is damaged.
    """
    if not is_run_id(run_id):
        raise RunNotFound(f"{run_id!r} is not a run id", hint="`chidori runs` lists the stored runs")
    value = store.get("runs", run_id.encode())
    if value is not None:
        return decode_run(store, run_id, value, blobs=blobs)
    found: list[tuple[bytes, bytes]] = []
    if len(run_id) >= _SHORTEST_PREFIX:
        found = list(store.scan("runs", run_id.encode(), limit=_NAMED + 1))
    if len(found) == 1:
        return decode_run(store, found[0][0].decode(), found[0][1], blobs=blobs)
    if found:
        names = ", ".join(key.decode() for key, _ in found[:_NAMED]) + (" …" if len(found) > _NAMED else "")
        raise RunNotFound(f"several runs begin with {run_id}: {names}", hint="give more of the id")
    raise RunNotFound(
        f"no run {run_id} in the store {store.path}",
        hint="`chidori runs` lists the stored runs; CHIDORI_DB_PATH names another store",
    )


def list_runs(
    store: Store, *, status: Status | None = None, limit: int = 50, cursor: str | None = None, blobs: bool = True
) -> RunPage:
    """At most ``limit`` runs (of that ``status``, and damaged ones), newest first; ``blobs``: see ``decode_run``.

    ``cursor`` goes on after an earlier page. A damaged description does not hide the other runs.

    Raises:
        StoreError: the cursor is not one that an earlier page gave, or the store cannot be read.
    """
    runs: list[RunMeta] = []
    damaged_ids: list[str] = []
    last = b""
    for key in _keys_by_time(store, cursor):
        if len(runs) + len(damaged_ids) == limit:
            return RunPage(runs, damaged_ids, last.hex())
        run_id = key[_TIME_BYTES:].decode()
        value = store.get("runs", run_id.encode())
        if value is not None:
            try:
                if status is None or stored_status(store, run_id, value) == status:
                    runs.append(decode_run(store, run_id, value, blobs=blobs))
            except StoreError:
                damaged_ids.append(run_id)
        last = key
    return RunPage(runs, damaged_ids, None)


def newest_run_ids(store: Store, limit: int) -> list[str]:
    """The ids of the newest runs."""
    return [key[_TIME_BYTES:].decode() for key in store.keys("by_time", reverse=True, limit=limit)]


def _keys_by_time(store: Store, cursor: str | None) -> Iterator[bytes]:
    try:
        start = None if cursor is None else bytes.fromhex(cursor)
    except ValueError as error:
        raise StoreError(f"{cursor!r} is not a cursor", hint="use the next_cursor of the page before") from error
    for key, _ in store.scan("by_time", start=start, reverse=True):
        if key != start:
            yield key
