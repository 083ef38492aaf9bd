"""The snapshot manifest (wire contract, section 5): how a run stands, and what must match to continue it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..errors import ManifestMismatch
from .json_text import parse_json, rfc3339
from .lanes import Entry, Settled, Started
from .records import call_path, described_start, error_text
from .runs import ABI, RunMeta

_POLICY_FIELDS = ("typescript_imports", "date", "random", "maps_sets")

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Engine:
    """What an image depends on; it decides how a run is continued, not whether."""

    engine_build: str
    golden_image: str
    prelude_version: int


def build_manifest(
    meta: RunMeta,
    lanes: Iterable[tuple[str, Sequence[Entry]]],
    *,
    source: Mapping[str, Any],
    engine: Engine | None = None,
    snapshot_file: str | None = None,
) -> JsonObject:
    """The manifest of a run.

    ``lanes`` has the path of each of its actors (the root's is empty) and the actor's lane as it counts
    (``apply_retries``); ``source`` has ``entry``, ``modules`` and ``module_graph`` in the contract's shapes;
    ``snapshot_file`` names the root's newest image, None when there is none and the run is continued by replay.
    Operations are in the order in which the calls began. Their ``id`` is the path; ``after``, ``site``, ``attempt`` and
    ``parent_seq`` are those of the call (``Started``), left out when they say nothing.
    """
    questions = {question.get("seq"): question for question in meta.pending}
    calls = sorted(_calls(lanes), key=lambda found: found[0].seq)
    promises = [(_operation(call, path, questions.get(call.seq)), settled) for call, settled, path in calls]
    open_calls = [operation for operation, settled in promises if settled is None]
    asked = [operation for operation in open_calls if operation["seq"] in questions]
    manifest: JsonObject = {
        "run_id": meta.id,
        "abi": dict(meta.abi),
        "snapshot_kind": "replay" if snapshot_file is None else "image",
        "policy": {
            **{name: meta.policy.get(name) for name in _POLICY_FIELDS},
            "deterministic_seed": meta.seed,
            "epoch_ms": meta.epoch_ms,
        },
        "entry": source["entry"],
        "modules": source["modules"],
        "module_graph": source["module_graph"],
        "pending": next(iter(asked or open_calls), None),
        "host_promises": [{"operation": operation, "state": _state(settled)} for operation, settled in promises],
        "branch": _branch(meta),
        "call_log_len": len(promises) - len(open_calls),
        "snapshot_file": snapshot_file,
        "created_at": rfc3339(meta.updated_at_ms),
    }
    if engine is not None:
        manifest |= {
            "engine_build": engine.engine_build,
            "golden_image": engine.golden_image,
            "prelude_version": engine.prelude_version,
        }
    return manifest


def _branch(meta: RunMeta) -> JsonObject | None:
    if meta.branch is None:
        return None
    return {
        "parent_run_id": meta.branch["parent_run_id"],
        "parallel_op_id": None,
        "branch_index": None,
        "at_seq": meta.branch["at_seq"],
    }


def _calls(lanes: Iterable[tuple[str, Sequence[Entry]]]) -> Iterator[tuple[Started, Settled | None, str]]:
    """Every call, what it came to if it has ended, and its path."""
    for actor, entries in lanes:
        settlements = {entry.ordinal: entry for entry in entries if isinstance(entry, Settled)}
        for entry in entries:
            if isinstance(entry, Started):
                yield entry, settlements.get(entry.ordinal), call_path(actor, entry.ordinal)


def _operation(call: Started, path: str, question: Mapping[str, Any] | None) -> JsonObject:
    operation = {
        "id": path,
        "seq": call.seq,
        "kind": call.function if question is None else question["kind"],
        "function": call.function,
        "args": parse_json(call.args),
        "created_at": rfc3339(call.at_ms),
    }
    return operation | described_start(call)


def _state(settled: Settled | None) -> str | JsonObject:
    if settled is None or not settled.delivered:
        return "pending"
    completed_at = rfc3339(settled.at_ms)
    if settled.error is not None:
        return {"rejected": {"error": error_text(settled), "completed_at": completed_at}}
    value = None if settled.value is None else parse_json(settled.value)
    return {"resolved": {"value": value, "completed_at": completed_at}}


def check_manifest(recorded: Mapping[str, Any], current: Mapping[str, Any]) -> None:
    """Compare ABI and policy of a run's manifest with those of this runtime (``{abi, policy}``), in this
    order.

    Raises:
        ManifestMismatch: the first that differs, in the contract's words.
    """
    _compare("ABI", recorded.get("abi"), current.get("abi"), tuple(ABI), "use a version of the same ABI")
    _compare(
        "policy",
        recorded.get("policy"),
        current.get("policy"),
        _POLICY_FIELDS,
        "set the CHIDORI_TS_* and CHIDORI_SNAPSHOT_MAPS_SETS variables as they were for the run",
    )


def _compare(what: str, recorded: object, current: object, fields: Sequence[str], hint: str) -> None:
    had = recorded if isinstance(recorded, Mapping) else {}
    has = current if isinstance(current, Mapping) else {}
    differing = [name for name in fields if had.get(name) != has.get(name)]
    if differing:
        raise ManifestMismatch(
            f"runtime snapshot {what} mismatch: snapshot has {_fields(had, differing)}, "
            f"runtime expects {_fields(has, differing)}",
            hint=hint,
        )


def _fields(values: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{name}={values.get(name, 'nothing')}" for name in names)
