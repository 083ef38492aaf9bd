"""The run of a checkpoint file as the store will describe it, and what is said of that which the file lacks."""

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast, get_args

from .checkpoint_fields import Fields
from .imported_actors import (
    described_actors,
    imported_actors,
    imported_sources,
    inherited_settlements,
)
from .imported_calls import calls_made_again, imported_lanes, imported_questions, with_manifest_facts
from .javascript_numbers import javascript_text
from .journal.actors import ActorMeta
from .journal.bundles import bundle_write
from .journal.checkpoint import Checkpoint, bad_checkpoint
from .journal.given_variables import given_in
from .journal.json_text import parse_json
from .journal.lanes import Entry, Retried, Settled, Started
from .journal.run_ids import is_run_id
from .journal.runs import ABI, RunMeta, Status, get_run
from .journal.store import Store, Write
from .languages.bundle import Bundle
from .policy import Profile
from .settings import ClockPolicy, ImportPolicy, MapsSetsPolicy, RandomPolicy, RuntimePolicy

UNKNOWN_AGENT = "FILE"
"""The agent of a run whose file is not known; it stands in commands where the user has to name one."""

_UNKNOWN_ERROR = "an error that is not in the checkpoint: `chidori replay` shows it"
_MOST_ATTEMPTS = 10_000
_SEED = re.compile(r"[0-9a-f]{1,128}")
_POLICY_VALUES: Mapping[str, tuple[str, ...]] = {
    "typescript_imports": get_args(ImportPolicy),
    "date": get_args(ClockPolicy),
    "random": get_args(RandomPolicy),
    "maps_sets": get_args(MapsSetsPolicy),
}


@dataclass(frozen=True, slots=True)
class ImportedRun:
    """A run for the store; its lanes are counted from the root's, which is 0. ``source`` are the writes of the source
    bundles and of what else is told of the run."""

    meta: RunMeta
    lanes: Sequence[Sequence[Entry]]
    actors: Sequence[ActorMeta]
    source: Sequence[Write]


@dataclass(frozen=True, slots=True)
class _Failure:
    """What ended a failed run, and the call whose error that was."""

    error: Mapping[str, Any] | None
    ordinal: int | None


def describe_import(store: Store, checkpoint: Checkpoint, run_id: str) -> ImportedRun:
    """What is to be stored as ``run_id``. ``store`` is asked for the run that the checkpoint came from.

    Raises:
        ChidoriError: the file has a field that cannot be what it must be.
    """
    ours = checkpoint.run is not None
    run, manifest = Fields("run", checkpoint.run or {}), Fields("snapshot_manifest", checkpoint.manifest or {})
    checkpoint = with_manifest_facts(checkpoint, manifest)
    described = described_actors(checkpoint)
    warnings = _known_warnings(run, checkpoint, described)
    lanes = imported_lanes(
        checkpoint, manifest, {path: inherited_settlements(fields) for path, fields in described.items()}
    )
    lanes = {**lanes, "": [*_retries(run, lanes[""]), *lanes[""]]}
    agent = _agent(run, manifest)
    starlark = agent.endswith(".star")
    bundles, sources = imported_sources(checkpoint)
    actors = imported_actors(described, lanes, bundles, starlark=starlark)
    entries = [entry for lane in lanes.values() for entry in lane]
    calls = [entry for entry in entries if isinstance(entry, Started)]
    questions = imported_questions(manifest, lanes, whole=ours) if ours or checkpoint.status is not None else ()
    origin = _origin(store, checkpoint, run)
    seed, epoch_ms = _seed_and_start(origin, run, manifest, warnings)
    began_ms = min((entry.at_ms for entry in entries), default=0) if epoch_ms is None else epoch_ms
    bundle, source = _source(checkpoint, warnings)
    status = _status(run, checkpoint, bool(questions), warnings)
    failure = _Failure(None, None)
    if status == "failed":
        failure = _Failure(_error(run), run.number("failed_ordinal")) if ours else _last_failure(lanes[""])
    meta = RunMeta(
        id=run_id,
        agent=agent,
        status=status,
        input=checkpoint.input,
        created_at_ms=_time(run, "created_at_ms", began_ms),
        updated_at_ms=_time(run, "updated_at_ms", max((entry.at_ms for entry in entries), default=began_ms)),
        seed=seed,
        epoch_ms=began_ms,
        lane=0,
        policy=_policy(_given_policy(run, manifest, origin), warnings),
        abi=_abi(manifest) if ours else ABI,
        output=javascript_text(run.values.get("output"), starlark=starlark) if ours and status == "completed" else None,
        error=failure.error,
        model=run.text("model") if ours else _model(calls),
        bundle=bundle,
        replayed_calls=len(checkpoint.call_log),
        calls=len(checkpoint.call_log),
        call_count=run.number("call_count") or max((call.seq for call in calls), default=0),
        pending=questions,
        failed_ordinal=failure.ordinal,
        policy_profile=_policy_profile(run),
        origin_run_id=run.text("origin_run_id") or checkpoint.session_id,
        lineage=_lineage(manifest),
        warnings=tuple(dict.fromkeys(warnings)),
    )
    return ImportedRun(meta, list(lanes.values()), actors, [*source, *sources, *given_in(run_id, calls)])


def _lineage(manifest: Fields) -> Mapping[str, Any] | None:
    """Which run it was a branch of, as far as the file says so."""
    branch = manifest.object("branch")
    if branch is None or not is_run_id(parent := branch.text("parent_run_id") or ""):
        return None
    return {"parent_run_id": parent, "at_seq": branch.number("at_seq")}


def _retries(run: Fields, root: Sequence[Entry]) -> Sequence[Entry]:
    """As many as there were in the lane of the root: calls that the run makes from now on count as made after these, so
    that none has the idempotency key of one that was taken back."""
    attempt = run.number("attempt") or 1
    if attempt > _MOST_ATTEMPTS:
        raise bad_checkpoint(f"`run.attempt` is more than {_MOST_ATTEMPTS}")
    return [Retried(0, entry.at_ms) for entry in root[:1]] * (attempt - 1)


def _known_warnings(run: Fields, checkpoint: Checkpoint, actors: Mapping[str, Fields]) -> list[str]:
    warnings = [*(run.texts("warnings") or ())]
    again = calls_made_again(checkpoint, actors)
    if again:
        warnings.append(
            f"{again} calls inside of unfinished tools, sub-agents or branches were not imported: they are made again"
        )
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
            "it has no source: `chidori resume FILE RUN_ID` goes on with yours, `replay` and `verify` need that of "
            "`chidori import --agent FILE`"
        )
        return None, ()
    try:
        bundle = Bundle.from_json(checkpoint.bundle)
    except ValueError as error:
        raise bad_checkpoint(f"`bundle`: {error}") from None
    digest, write = bundle_write(bundle.to_json())
    return digest, (write,)


def _status(run: Fields, checkpoint: Checkpoint, asks: bool, warnings: list[str]) -> Status:
    status = run.text("status") or checkpoint.status
    if status == "completed" and checkpoint.run is None:
        warnings.append("it has no output: `chidori replay` shows it, and `verify` has nothing to compare with")
    if status is None:
        warnings.append("it does not say how the run ended: it counts as interrupted")
        return "running"
    if status not in get_args(Status):
        where = "status" if checkpoint.run is None else "run.status"
        raise bad_checkpoint(f"`{where}` is not one of {', '.join(get_args(Status))}")
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


def _policy_profile(run: Fields) -> str | None:
    profile = run.text("policy_profile")
    if profile is not None and profile not in get_args(Profile):
        raise bad_checkpoint(f"`run.policy_profile` is not one of {', '.join(get_args(Profile))}")
    return profile


def _abi(manifest: Fields) -> Mapping[str, Any]:
    abi = manifest.object("abi")
    return ABI if abi is None else abi.values


def _agent(run: Fields, manifest: Fields) -> str:
    entry = manifest.object("entry")
    named = run.text("agent") or (entry.text("path") if entry else None) or UNKNOWN_AGENT
    return named if _is_below_here(named) else Path(named).name or UNKNOWN_AGENT


def _is_below_here(path: str) -> bool:
    """Whether the file lies in the working directory: a checkpoint may name any, and what lies beside it is read."""
    try:
        return Path(path).resolve().is_relative_to(Path.cwd())
    except (OSError, ValueError, RuntimeError):  # a null character, a loop of symbolic links
        return False


def _error(run: Fields) -> Mapping[str, Any]:
    error = run.object("error")
    return {"message": "unknown"} if error is None else {**error.values, "message": error.text("message") or "unknown"}


def _last_failure(root: Sequence[Entry]) -> _Failure:
    """What ended a run whose checkpoint only says that it failed: its last call, if that failed, else its own code."""
    ends = [entry for entry in root if isinstance(entry, Settled) and entry.cancelled is None]
    if ends and ends[-1].error is not None:
        return _Failure(ends[-1].error, ends[-1].ordinal)
    return _Failure({"message": _UNKNOWN_ERROR, "name": "Error", "data": {}}, None)


def _model(calls: Sequence[Started]) -> str | None:
    """The model that prompts of another implementation's run went to when they named none: that of its first one."""
    for call in calls:
        if call.function == "prompt":
            model = parse_json(call.args).get("model")
            return model if isinstance(model, str) else None
    return None
