"""Checkpoint files: a run as one JSON document, to be carried elsewhere (the SDKs' own format).

``{session_id, input, call_log, snapshot_manifest, bundle?, run?, actors?, bundles?}``. ``bundle`` is the text
of the source bundle, and ``run`` what replay needs besides. ``actors`` are the branches, sub-agents and tools whose
calls are in the log: ``{path, kind, status, epoch_ms, input, output, error, failed_ordinal, ended, seq, bundle,
inherited}`` as in ``ActorMeta``; ``bundle`` names one of ``bundles``, texts by hash, and ``inherited`` are settlements
of calls of the parent, ``{key, index, settled_at_ms, result, error}``. Records of ours also have ``after``, ``site``,
``attempt``, ``error_inner`` and ``settled_at_ms``; a checkpoint of another implementation has neither these nor
``path``. What a server answers to ``GET /sessions/{id}/checkpoint`` is read as well: its ``session_id`` is ``id``, and
it has ``status`` instead of ``run``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from .. import exact_json
from ..errors import ChidoriError
from .json_text import milliseconds_since_1970, parse_json
from .records import Record

RECORD_FIELDS = frozenset(
    (
        "seq",
        "parent_seq",
        "function",
        "args",
        "result",
        "duration_ms",
        "token_usage",
        "timestamp",
        "error",
        "path",
        "actor",
        "index",
        "origin_run_id",
        "error_name",
        "error_data",
        "after",
        "site",
        "settled_at_ms",
        "attempt",
        "error_inner",
    )
)
"""What a record may have by itself; other fields are notes of its call."""

_ORDINAL, _BRANCH = "[1-9][0-9]{0,15}", "/b(?:0|[1-9][0-9]{0,15})"
CALL_PATH = re.compile(rf"(?:{_ORDINAL}(?:{_BRANCH})?/)*{_ORDINAL}", re.ASCII)
ACTOR_PATH = re.compile(rf"(?P<call>{CALL_PATH.pattern})(?P<branch>{_BRANCH})?", re.ASCII)
_HINT = "`chidori export RUN_ID` writes a good one"

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file that was read and checked.

    ``input`` is JSON text, ``bundle`` the source bundle as it was stored. ``run`` has fields of ``RunMeta``
    (``output`` as a value); None in a checkpoint of another implementation. Of ``actors`` and ``bundles`` only
    the kind is checked. ``status`` is how the session stood that a server gave; None in other files.
    """

    session_id: str
    input: bytes
    call_log: tuple[Record, ...]
    manifest: JsonObject | None
    bundle: bytes | None
    run: JsonObject | None
    actors: Sequence[object] = ()
    bundles: Mapping[str, object] = field(default_factory=dict)
    status: str | None = None


def parse_checkpoint(data: bytes) -> Checkpoint:
    """Read and check a checkpoint file, ours or another implementation's.

    Raises:
        ChidoriError: it is not one; the message says where.
    """
    try:
        document = parse_json(data)
    except ValueError as error:
        raise ChidoriError(f"the checkpoint file is not JSON: {error}", hint=_HINT) from None
    if not isinstance(document, dict):
        raise bad_checkpoint("it is not an object")
    named = "id" if "id" in document and "session_id" not in document else "session_id"
    for name in (named, "input", "call_log"):
        if name not in document:
            raise bad_checkpoint(f"`{name}` is missing")
    _check_nesting(document)
    session_id = _typed(document, named, str, "a string")
    records = _typed(document, "call_log", list, "an array")
    bundle = _optional(document, "bundle", str, "a string")
    log = [_record(record, place) for place, record in enumerate(records, start=1)]
    _check_distinct(log)
    run = _optional(document, "run", dict, "an object")
    if run is not None:
        _check_order(log)
    return Checkpoint(
        session_id=session_id,
        input=exact_json.dumps(document["input"]),
        call_log=tuple(log),
        manifest=_optional(document, "snapshot_manifest", dict, "an object"),
        bundle=None if bundle is None else bundle.encode(),
        run=run,
        actors=_optional(document, "actors", list, "an array") or (),
        bundles=_optional(document, "bundles", dict, "an object") or {},
        status=_optional(document, "status", str, "a string"),
    )


def _check_distinct(log: Sequence[Record]) -> None:
    known = [record.get("path", record["seq"]) for record in log if "path" in record or "parent_seq" not in record]
    if len(set(known)) < len(known):
        raise bad_checkpoint("two records of `call_log` are of the same call")


def _check_order(log: Sequence[Record]) -> None:
    """Our own files say when each call ended."""
    before = 0
    for place, record in enumerate(log, start=1):
        where = f"record {place} of `call_log`"
        if _typed(record, "index", int, "a whole number", where) <= before:
            raise bad_checkpoint(f"{where}: `index` is not above that of the record before")
        before = record["index"]


def _check_nesting(document: JsonObject) -> None:
    """orjson reads what is nested deeper than it writes: 254."""
    try:
        exact_json.dumps(document)
    except orjson.JSONEncodeError:
        raise bad_checkpoint("it is nested too deeply") from None


_Kind = type | tuple[type, ...]
_NUMBER: _Kind = (int, float)
_REQUIRED: tuple[tuple[str, _Kind, str], ...] = (
    ("seq", int, "a whole number from 1"),
    ("function", str, "a string"),
    ("timestamp", str, "a time in RFC 3339"),
)
_OPTIONAL: tuple[tuple[str, _Kind, str], ...] = (
    ("parent_seq", int, "a whole number"),
    ("path", str, "a path such as 4 or 4/2"),
    ("error", str, "a string"),
    ("error_name", str, "a string"),
    ("error_data", dict, "an object"),
    ("duration_ms", _NUMBER, "a number"),
    ("token_usage", dict, "an object"),
    ("after", int, "a whole number"),
    ("site", str, "a string"),
    ("attempt", int, "a whole number"),
    ("error_inner", dict, "an object"),
    ("settled_at_ms", int, "a whole number"),
)


def _record(record: object, place: int) -> Record:
    """A checked copy of a record, without those optional fields that are null."""
    where = f"record {place} of `call_log`"
    if not isinstance(record, dict):
        raise bad_checkpoint(f"{where} is not an object")
    checked = {key: value for key, value in record.items() if value is not None or key in ("args", "result")}
    for name, kind, what in _REQUIRED:
        _typed(checked, name, kind, what, where)
    if "args" not in checked:
        raise bad_checkpoint(f"{where}: `args` is missing")
    for name, kind, what in _OPTIONAL:
        if name in checked:
            _typed(checked, name, kind, what, where)
    if checked["seq"] < 1:
        raise bad_checkpoint(f"{where}: `seq` is not a whole number from 1")
    if "path" in checked and not CALL_PATH.fullmatch(checked["path"]):
        raise bad_checkpoint(f"{where}: `path` is not a path such as 4 or 4/2")
    try:
        milliseconds_since_1970(checked["timestamp"])
    except ValueError:
        raise bad_checkpoint(f"{where}: `timestamp` is not a time in RFC 3339") from None
    return checked


def _typed(values: Mapping[str, Any], name: str, kind: _Kind, what: str, where: str = "") -> Any:
    prefix = f"{where}: " if where else ""
    if name not in values:
        raise bad_checkpoint(f"{prefix}`{name}` is missing")
    value = values[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise bad_checkpoint(f"{prefix}`{name}` is not {what}")
    return value


def _optional(document: Mapping[str, Any], name: str, kind: _Kind, what: str) -> Any:
    return None if document.get(name) is None else _typed(document, name, kind, what)


def bad_checkpoint(what: str) -> ChidoriError:
    """The error for a file with a fault."""
    return ChidoriError(f"the checkpoint file cannot be used: {what}", hint=_HINT)
