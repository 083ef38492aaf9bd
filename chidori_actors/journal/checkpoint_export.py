"""Writing a checkpoint file, which ``checkpoint`` reads."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from .. import exact_json
from ..errors import StoreError
from .actors import ActorMeta
from .blobs import DAMAGED_HINT
from .json_text import parse_json
from .lanes import Settled, Started
from .records import Record, described_start
from .runs import RunMeta
from .tree import RunTree, TreeActor

_RUN_FIELDS = (
    "agent",
    "status",
    "error",
    "seed",
    "epoch_ms",
    "model",
    "policy",
    "policy_profile",
    "created_at_ms",
    "updated_at_ms",
    "call_count",
    "failed_ordinal",
    "origin_run_id",
    "warnings",
)
_ACTOR_FIELDS = ("path", "kind", "status", "epoch_ms", "bundle", "error", "failed_ordinal", "ended", "seq")

JsonObject = dict[str, Any]


def export_checkpoint(
    meta: RunMeta,
    tree: RunTree,
    *,
    manifest: Mapping[str, Any],
    bundle: bytes | None,
    bundles: Mapping[str, bytes],
    head: Mapping[str, Any] | None = None,
) -> bytes:
    """The checkpoint file of a run (``checkpoint`` says what is in it).

    ``bundle`` is the text of its source bundle, ``bundles`` are those of its actors by the hashes by which
    ``ActorMeta`` names them; the fields of ``head`` come first.

    Raises:
        StoreError: the record is damaged.
    """
    run: JsonObject = {name: getattr(meta, name) for name in _RUN_FIELDS}
    run["output"] = None if meta.output is None else parse_json(meta.output)
    run["attempt"] = tree.actors[0].attempt
    document: JsonObject = {
        **(head or {}),
        "session_id": meta.id,
        "input": parse_json(meta.input),
        "call_log": _call_log(meta, tree),
        "snapshot_manifest": manifest,
        "run": run,
    }
    if len(tree.actors) > 1:
        document["actors"] = [_actor(actor, actor.meta) for actor in tree.actors if actor.meta is not None]
    if bundles:
        document["bundles"] = {digest: text.decode() for digest, text in bundles.items()}
    if bundle is not None:
        document["bundle"] = bundle.decode()
    return exact_json.dumps(document, option=orjson.OPT_INDENT_2)


def _call_log(meta: RunMeta, tree: RunTree) -> list[Record]:
    ends: dict[int, tuple[Started, Settled]] = {}
    for actor in tree.actors:
        settled = actor.settled
        ends |= {(end := settled[call.ordinal]).index: (call, end) for call in actor.calls if call.ordinal in settled}
    records = tree.records(meta.origin_run_id)
    if any(record["index"] not in ends for record in records):
        raise StoreError(
            f"the record of run {meta.id} is damaged: calls in it contradict each other", hint=DAMAGED_HINT
        )
    return [record | _more(*ends[record["index"]]) for record in records]


def _more(call: Started, settled: Settled) -> JsonObject:
    more = {**described_start(call), "settled_at_ms": settled.at_ms}
    if settled.error is not None and settled.error.get("inner"):
        more["error_inner"] = settled.error["inner"]
    return more


def _actor(actor: TreeActor, meta: ActorMeta) -> JsonObject:
    return {
        **{name: getattr(meta, name) for name in _ACTOR_FIELDS},
        "input": parse_json(meta.input),
        "output": None if meta.output is None else parse_json(meta.output),
        "inherited": list(_inherited(actor)),
    }


def _inherited(actor: TreeActor) -> Iterable[JsonObject]:
    for entry in actor.entries:
        if isinstance(entry, Settled) and entry.inherited:
            yield {
                "key": entry.ordinal,
                "index": entry.index,
                "settled_at_ms": entry.at_ms,
                "result": None if entry.value is None else parse_json(entry.value),
                "error": entry.error,
            }
