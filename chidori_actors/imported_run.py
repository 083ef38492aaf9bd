"""The run of a checkpoint file as the store will describe it, and what is said of that which the file lacks."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import Any, cast, get_args

import orjson

from .checkpoint_fields import Fields, unusable
from .imported_calls import imported_entries, imported_questions
from .journal.bundles import bundle_write
from .journal.checkpoint import Checkpoint
from .journal.json_text import parse_json
from .journal.lanes import Entry, Started
from .journal.runs import ABI, RunMeta, Status, get_run, is_run_id
from .journal.store import Store, Write
from .languages.bundle import Bundle
from .settings import ClockPolicy, ImportPolicy, MapsSetsPolicy, RandomPolicy, RuntimePolicy

UNKNOWN_AGENT = "FILE"
"""The agent of a run whose file is not known; it stands in commands where the user has to name one."""

_SEED = re.compile(r"[0-9a-f]{1,128}")
_POLICY_VALUES: Mapping[str, tuple[str, ...]] = {
    "typescript_imports": get_args(ImportPolicy),
    "date": get_args(ClockPolicy),
    "random": get_args(RandomPolicy),
    "maps_sets": get_args(MapsSetsPolicy),
}


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run for the store; ``meta.lane`` is 0 until it has one. ``source`` are the writes of its source bundle."""

    meta: RunMeta
    entries: Sequence[Entry]
    source: Sequence[Write]


def describe_import(store: Store, checkpoint: Checkpoint, run_id: str) -> ImportedRun:
    """What is to be stored as ``run_id``. ``store`` is asked for the run that the checkpoint came from.

    Raises:
        ChidoriError: the file has a field that cannot be what it must be.
    """
    ours = checkpoint.run is not None
    run, manifest = Fields("run", checkpoint.run or {}), Fields("snapshot_manifest", checkpoint.manifest or {})
    warnings = _known_warnings(run, checkpoint)
    entries = imported_entries(checkpoint, manifest)
    calls = [entry for entry in entries if isinstance(entry, Started)]
    questions = imported_questions(manifest, entries) if ours else ()
    origin = _origin(store, checkpoint, run)
    seed, epoch_ms = _seed_and_start(origin, run, manifest, warnings)
    began_ms = min((entry.at_ms for entry in entries), default=0) if epoch_ms is None else epoch_ms
    bundle, source = _source(checkpoint, warnings)
    status = _status(run, bool(questions), warnings)
    meta = RunMeta(
        id=run_id,
        agent=_agent(run, manifest),
        status=status,
        input=checkpoint.input,
        created_at_ms=_time(run, "created_at_ms", began_ms),
        updated_at_ms=_time(run, "updated_at_ms", max((entry.at_ms for entry in entries), default=began_ms)),
        seed=seed,
        epoch_ms=began_ms,
        lane=0,
        policy=_policy(_given_policy(run, manifest, origin), warnings),
        abi=_abi(manifest) if ours else ABI,
        output=_javascript_text(run.values.get("output")) if status == "completed" else None,
        error=_error(run) if status == "failed" else None,
        model=run.text("model") if ours else _model(calls),
        bundle=bundle,
        call_count=run.number("call_count") or max((call.seq for call in calls), default=0),
        pending=questions,
        failed_ordinal=run.number("failed_ordinal"),
        origin_run_id=run.text("origin_run_id") or checkpoint.session_id,
        warnings=tuple(dict.fromkeys(warnings)),
    )
    return ImportedRun(meta, entries, source)


def _known_warnings(run: Fields, checkpoint: Checkpoint) -> list[str]:
    warnings = [*(run.texts("warnings") or ()), *checkpoint.warnings]
    if any("path" not in record for record in checkpoint.call_log):
        warnings.append("its calls have no paths: they are matched in the order in which they were made")
    return warnings


def _time(run: Fields, name: str, otherwise: int) -> int:
    given = run.number(name)
    return otherwise if given is None else given


def _seed_and_start(
    origin: RunMeta | None, run: Fields, manifest: Fields, warnings: list[str]
) -> tuple[str, int | None]:
    """From the file itself, else from the run that it came from; the start is None when nobody knows it."""
    policy = manifest.object("policy") or Fields("snapshot_manifest.policy", {})
    seed = run.text("seed") or policy.values.get("deterministic_seed")
    # Another implementation's seed may be of any kind; then it is of no use here.
    seed = seed if isinstance(seed, str) and _SEED.fullmatch(seed) else None
    epoch_ms = run.number("epoch_ms")
    epoch_ms = policy.number("epoch_ms") if epoch_ms is None else epoch_ms
    if origin is not None:
        seed, epoch_ms = seed or origin.seed, origin.epoch_ms if epoch_ms is None else epoch_ms
    missing = [name for name, value in (("random seed", seed), ("start time", epoch_ms)) if value is None]
    if missing:
        warnings.append(
            f"it has no {' and no '.join(missing)}, nor is the run it came from in the store: "
            "Math.random() and Date may differ from the original run"
        )
    return seed or secrets.token_hex(16), epoch_ms


def _origin(store: Store, checkpoint: Checkpoint, run: Fields) -> RunMeta | None:
    """The run that the checkpoint was made of, when it is in the store."""
    named = [run.text("origin_run_id"), *(record.get("origin_run_id") for record in checkpoint.call_log[:1])]
    for run_id in (*named, checkpoint.session_id):
        if isinstance(run_id, str) and is_run_id(run_id) and store.get("runs", run_id.encode()) is not None:
            return get_run(store, run_id)
    return None


def _source(checkpoint: Checkpoint, warnings: list[str]) -> tuple[str | None, Sequence[Write]]:
    if checkpoint.bundle is None:
        warnings.append(
            "it has no source: `chidori resume FILE RUN_ID` goes on with yours, `replay` and `verify` need one"
        )
        return None, ()
    try:
        bundle = Bundle.from_json(checkpoint.bundle)
    except ValueError as error:
        raise unusable(f"`bundle`: {error}") from None
    digest, write = bundle_write(bundle.to_json())
    return digest, (write,)


def _status(run: Fields, asks: bool, warnings: list[str]) -> Status:
    status = run.text("status")
    if status is None:
        warnings.append("it does not say how the run ended: it counts as interrupted")
        return "running"
    if status not in get_args(Status):
        raise unusable(f"`run.status` is not one of {', '.join(get_args(Status))}")
    # Without its questions a paused run is an interrupted one: it asks them when it is continued.
    waits = status in ("paused", "awaitingapproval")
    return "running" if waits and not asks else cast(Status, status)


def _given_policy(run: Fields, manifest: Fields, origin: RunMeta | None) -> Mapping[str, Any]:
    given = run.object("policy") or manifest.object("policy")
    if given is not None:
        return given.values
    return {} if origin is None else origin.policy


def _policy(given: Mapping[str, Any], warnings: list[str]) -> Mapping[str, str]:
    policy: dict[str, str] = asdict(RuntimePolicy())
    for name, allowed in _POLICY_VALUES.items():
        value = given.get(name)
        if value in allowed:
            policy[name] = cast(str, value)
        else:
            warnings.append(f"it has no usable policy for {name}: {policy[name]} is assumed")
    return policy


def _abi(manifest: Fields) -> Mapping[str, Any]:
    abi = manifest.object("abi")
    return ABI if abi is None else abi.values


def _agent(run: Fields, manifest: Fields) -> str:
    entry = manifest.object("entry")
    return run.text("agent") or (entry.text("path") if entry else None) or UNKNOWN_AGENT


def _error(run: Fields) -> Mapping[str, Any]:
    error = run.object("error")
    return {"message": "unknown"} if error is None else {**error.values, "message": error.text("message") or "unknown"}


def _model(calls: Sequence[Started]) -> str | None:
    """The model that prompts of another implementation's run went to when they named none: that of its first one."""
    for call in calls:
        if call.function == "prompt":
            model = parse_json(call.args).get("model")
            return model if isinstance(model, str) else None
    return None


def _javascript_text(value: Any) -> bytes:
    """JSON text as JavaScript writes it, so that a replay's output can be compared with it byte by byte."""
    return orjson.dumps(_with_javascript_numbers(value))


def _with_javascript_numbers(value: Any) -> Any:
    """``value`` with those numbers spelled out that orjson would write otherwise: 0.000001, not 1e-6.

    ECMAScript, Number::toString: no exponent from 1e-6 to below 1e21, the shortest digits that give the number.
    """
    if value == 0 and isinstance(value, float):
        return 0
    if isinstance(value, float) and 1e-6 <= abs(value) < 1e21:
        return orjson.Fragment(f"{Decimal(repr(value)):f}".removesuffix(".0"))
    if isinstance(value, dict):
        return {key: _with_javascript_numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_javascript_numbers(item) for item in value]
    return value
