"""The branches, sub-agents and tools of a checkpoint file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast, get_args

from . import exact_json
from .checkpoint_fields import Fields
from .imported_calls import Lanes
from .javascript_numbers import javascript_text
from .journal.actors import ActorKind, ActorMeta, ActorStatus
from .journal.bundles import bundle_write
from .journal.checkpoint import ACTOR_PATH, Checkpoint, bad_checkpoint
from .journal.lanes import Entry, Settled, Started
from .journal.records import call_path
from .journal.store import Write
from .languages.bundle import Bundle

_CONTAINERS: Mapping[str, str] = {"branch": "parallel", "sub_agent": "call_agent", "tool": "tool"}


def described_actors(checkpoint: Checkpoint) -> Mapping[str, Fields]:
    """The actors of a file of ours by their paths, each known to lie in another or in the root.

    Raises:
        ChidoriError: one of them cannot be.
    """
    actors: dict[str, Fields] = {}
    for place, actor in enumerate(checkpoint.actors if checkpoint.run is not None else ()):
        fields = _object(actor, f"actors[{place}]")
        path = fields.text("path")
        if path is None or not ACTOR_PATH.fullmatch(path):
            raise bad_checkpoint(f"`{fields.where}.path` is not a path such as 4 or 7/b1")
        if path in actors:
            raise bad_checkpoint(f"`{fields.where}.path` is that of another actor")
        actors[path] = fields
    for path, fields in actors.items():
        if _parent(path) not in ("", *actors):
            raise bad_checkpoint(f"`{fields.where}` is inside of an actor that the file does not have")
    return actors


def _object(value: object, where: str) -> Fields:
    if not isinstance(value, dict):
        raise bad_checkpoint(f"`{where}` is not an object")
    return Fields(where, value)


def _container(path: str) -> str:
    """The path of the call that contains the actor."""
    found = ACTOR_PATH.fullmatch(path)
    assert found is not None
    return found["call"]


def _parent(path: str) -> str:
    return _container(path).rpartition("/")[0]


def inherited_settlements(actor: Fields) -> list[Settled]:
    """What the actor was given of its parent's, in order.

    Raises:
        ChidoriError: an entry cannot be.
    """
    settlements = []
    for fields in actor.objects("inherited"):
        key, index, at_ms = fields.values.get("key"), fields.number("index"), fields.number("settled_at_ms")
        if not isinstance(key, int) or key >= 0 or index is None or at_ms is None:
            raise bad_checkpoint(f"`{fields.where}` is not a settlement of a call of the parent")
        error = fields.object("error")
        settled = Settled(
            ordinal=key,
            index=index,
            at_ms=at_ms,
            duration_ms=0,
            value=exact_json.dumps(fields.values.get("result")) if error is None else None,
            error=None if error is None else _error(error),
        )
        settlements.append(settled)
    return settlements


@dataclass(frozen=True, slots=True)
class ImportedSource:
    """The stored hash of a bundle, and whether its entry is Starlark."""

    digest: str
    starlark: bool


def imported_sources(checkpoint: Checkpoint) -> tuple[Mapping[str, ImportedSource], list[Write]]:
    """The file's ``bundles`` by their names, and the writes that store them.

    Raises:
        ChidoriError: one of them is no source.
    """
    sources: dict[str, ImportedSource] = {}
    writes: list[Write] = []
    for name, text in checkpoint.bundles.items():
        if not isinstance(text, str):
            raise bad_checkpoint(f"`bundles.{name}` is not a string")
        try:
            bundle = Bundle.from_json(text.encode())
        except ValueError as error:
            raise bad_checkpoint(f"`bundles.{name}`: {error}") from None
        digest, write = bundle_write(bundle.to_json())
        sources[name] = ImportedSource(digest, bundle.language == "starlark")
        writes.append(write)
    return sources, writes


def imported_actors(
    actors: Mapping[str, Fields], lanes: Lanes, sources: Mapping[str, ImportedSource], *, starlark: bool
) -> list[ActorMeta]:
    """The actors for the store. Their lanes are counted from the root's, which is 0; ``starlark`` says that the root's
    source is Starlark.

    Raises:
        ChidoriError: one of them cannot be.
    """
    numbers = {path: number for number, path in enumerate(("", *actors))}
    calls = _calls(lanes)
    metas: list[ActorMeta] = []
    for path, fields in actors.items():
        meta = _actor(path, fields, calls, lanes[path], numbers, sources)
        if meta.status == "completed":
            spoken = _speaks_starlark(path, actors, sources, starlark)
            meta = replace(meta, output=javascript_text(fields.values.get("output"), starlark=spoken))
        metas.append(meta)
    return metas


def _speaks_starlark(
    path: str, actors: Mapping[str, Fields], sources: Mapping[str, ImportedSource], root: bool
) -> bool:
    """Whether the actor's source is Starlark; a branch has its parent's."""
    while path:
        source = sources.get(actors[path].text("bundle") or "")
        if source is not None:
            return source.starlark
        path = _parent(path)
    return root


def _calls(lanes: Lanes) -> Mapping[str, Started]:
    return {
        call_path(actor, entry.ordinal): entry
        for actor, entries in lanes.items()
        for entry in entries
        if isinstance(entry, Started)
    }


def _actor(
    path: str,
    fields: Fields,
    calls: Mapping[str, Started],
    lane: Sequence[Entry],
    numbers: Mapping[str, int],
    sources: Mapping[str, ImportedSource],
) -> ActorMeta:
    kind, status, epoch_ms = fields.text("kind"), fields.text("status"), fields.number("epoch_ms")
    if kind is None or kind not in _CONTAINERS or (kind == "branch") != path.rpartition("/")[2].startswith("b"):
        raise bad_checkpoint(f"`{fields.where}.kind` is not what an actor {path} can be")
    if status not in get_args(ActorStatus):
        raise bad_checkpoint(f"`{fields.where}.status` is not one of {', '.join(get_args(ActorStatus))}")
    call = calls.get(_container(path))
    if call is None or call.function != _CONTAINERS[kind] or epoch_ms is None:
        raise bad_checkpoint(f"`{fields.where}` is not in a call of `{_CONTAINERS[kind]}`, or has no `epoch_ms`")
    for entry in lane:
        if isinstance(entry, Started) and entry.parent_seq != call.seq:
            raise bad_checkpoint(f"`parent_seq` of call {call_path(path, entry.ordinal)} is not {call.seq}")
    error = fields.object("error")
    bundle = fields.text("bundle")
    if bundle is not None and bundle not in sources:
        raise bad_checkpoint(f"`{fields.where}.bundle` is not one of `bundles`")
    return ActorMeta(
        lane=numbers[path],
        path=path,
        kind=cast(ActorKind, kind),
        parent_lane=numbers[_parent(path)],
        parent_seq=call.seq,
        index=int(path.rpartition("/b")[2]) if kind == "branch" else 0,
        status=cast(ActorStatus, status),
        epoch_ms=epoch_ms,
        bundle=None if bundle is None else sources[bundle].digest,
        input=exact_json.dumps(fields.values.get("input")),
        error=_error(error or Fields(f"{fields.where}.error", {})) if status == "failed" else None,
        failed_ordinal=fields.number("failed_ordinal"),
        ended=fields.number("ended"),
        seq=fields.number("seq") or 0,
    )


def _error(fields: Fields) -> Mapping[str, Any]:
    message, name = fields.text("message"), fields.text("name")
    if message is None:
        raise bad_checkpoint(f"`{fields.where}.message` is missing")
    for text in ("stack", "location", "source_line"):
        fields.text(text)
    data = fields.object("data")
    return {**fields.values, "message": message, "name": name or "Error", "data": data.values if data else {}}
