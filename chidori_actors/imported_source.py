"""The source of a run whose checkpoint does not carry it, given by the user and compared with the file's manifest."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from .checkpoint_fields import Fields
from .errors import SourceMismatch, UsageError
from .journal.checkpoint import Checkpoint
from .languages.bundle import Bundle

_HINT = "give the file as it was, or pass --allow-source-change: a replay then stops where the calls differ"


@dataclass(frozen=True, slots=True)
class Source:
    """An agent's source; ``may_differ``: it need not be the one of the manifest."""

    bundle: Bundle
    may_differ: bool = False


def with_source(checkpoint: Checkpoint, source: Source) -> Checkpoint:
    """The checkpoint as one that carries ``source``.

    Raises:
        UsageError: it has its source.
        SourceMismatch: the manifest has another entry, module or module graph, looked at in this order.
        ChidoriError: the manifest is damaged.
    """
    if checkpoint.bundle is not None:
        raise UsageError("the checkpoint file has its source", hint="leave --agent out")
    if checkpoint.manifest is not None and not source.may_differ:
        _compare(Fields("snapshot_manifest", checkpoint.manifest), source.bundle.manifest())
    return replace(checkpoint, bundle=source.bundle.to_json())


def _compare(recorded: Fields, current: Mapping[str, Any]) -> None:
    entry = recorded.object("entry")
    if entry is not None and entry.text("hash") is not None:
        _compare_files("source", [entry], [current["entry"]])
        _compare_files("module", recorded.objects("modules"), current["modules"])
        graph, graph_now = recorded.values.get("module_graph"), current["module_graph"]
        if graph is not None and graph != graph_now:
            raise _mismatch("module graph", str(graph), str(graph_now))


def _compare_files(what: str, recorded: list[Fields], current: list[dict[str, str]]) -> None:
    before = {file.text("path") or "": file.text("hash") or "none" for file in recorded}
    now = {file["path"]: file["hash"] for file in current}
    for path in sorted(before.keys() | now.keys()):
        if before.get(path) != now.get(path):
            raise _mismatch(what, f"{path} {before.get(path, 'none')}", f"{path} {now.get(path, 'none')}")


def _mismatch(what: str, had: str, has: str) -> SourceMismatch:
    return SourceMismatch(f"runtime snapshot {what} mismatch: snapshot has {had}, runtime has {has}", hint=_HINT)
