"""Checkpoint files: a run as one JSON document, to be carried elsewhere (the SDKs' own format).

``{session_id, input, call_log, snapshot_manifest, bundle?, run?}``. ``bundle`` is the text of the source
bundle, and ``run`` what replay needs besides. Records of ours also have ``after``, ``site`` and
``settled_at_ms``; a checkpoint of another implementation has neither these nor ``path``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from ..errors import ChidoriError
from .json_text import milliseconds_since_1970, parse_json
from .lanes import CANCELLED, OUTCOME_UNKNOWN, Entry, Settled, Started
from .records import Record, call_records
from .runs import RunMeta

_RUN_FIELDS = (
    "agent",
    "status",
    "error",
    "seed",
    "epoch_ms",
    "model",
    "policy",
    "created_at_ms",
    "updated_at_ms",
    "call_count",
    "failed_ordinal",
    "origin_run_id",
    "warnings",
)
_RECORD_FIELDS = frozenset(
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
    )
)
_CANCELLATIONS = {CANCELLED: CANCELLED, f"{CANCELLED}: {OUTCOME_UNKNOWN}": OUTCOME_UNKNOWN}
_PATH = re.compile(r"[1-9][0-9]{0,15}(/b?[0-9]{1,16})*", re.ASCII)
_HINT = "`chidori export RUN_ID` writes a good one"

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint file that was read and checked.

    ``input`` is JSON text, ``bundle`` the source bundle as it was stored. ``run`` has fields of ``RunMeta``
    (``output`` as a value); None in a checkpoint of another implementation. ``warnings`` says what was left
    out.
    """

    session_id: str
    input: bytes
    call_log: tuple[Record, ...]
    manifest: JsonObject | None
    bundle: bytes | None
    run: JsonObject | None
    warnings: tuple[str, ...]


def export_checkpoint(
    meta: RunMeta, entries: Sequence[Entry], *, manifest: Mapping[str, Any], bundle: bytes | None
) -> bytes:
    """The checkpoint file of a run; ``entries`` is its lane as it counts (``apply_retries``)."""
    started = {entry.ordinal: entry for entry in entries if isinstance(entry, Started)}
    settled = {entry.index: entry for entry in entries if isinstance(entry, Settled) and not entry.inherited}
    call_log = []
    for record in call_records(entries, origin_run_id=meta.origin_run_id):
        ended = settled[record["index"]]
        call = started[ended.ordinal]
        extra = {"after": call.after, "site": call.site, "settled_at_ms": ended.at_ms}
        call_log.append(record | extra)
    run: JsonObject = {name: getattr(meta, name) for name in _RUN_FIELDS}
    run["output"] = None if meta.output is None else parse_json(meta.output)
    document: JsonObject = {
        "session_id": meta.id,
        "input": parse_json(meta.input),
        "call_log": call_log,
        "snapshot_manifest": manifest,
        "run": run,
    }
    if bundle is not None:
        document["bundle"] = bundle.decode()
    return orjson.dumps(document, option=orjson.OPT_INDENT_2)


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
        raise _bad("it is not an object")
    for name in ("session_id", "input", "call_log"):
        if name not in document:
            raise _bad(f"`{name}` is missing")
    _check_nesting(document)
    session_id = _typed(document, "session_id", str, "a string")
    records = _typed(document, "call_log", list, "an array")
    bundle = _optional(document, "bundle", str, "a string")
    log = [_record(record, place) for place, record in enumerate(records, start=1)]
    root = _root_records(log)
    warnings: tuple[str, ...] = ()
    if len(root) < len(log):
        left_out = len(log) - len(root)
        warnings = (f"{left_out} calls inside of tools, sub-agents or branches were not imported",)
    return Checkpoint(
        session_id=session_id,
        input=orjson.dumps(document["input"]),
        call_log=tuple(log),
        manifest=_optional(document, "snapshot_manifest", dict, "an object"),
        bundle=None if bundle is None else bundle.encode(),
        run=_optional(document, "run", dict, "an object"),
        warnings=warnings,
    )


def _check_nesting(document: JsonObject) -> None:
    """orjson reads what is nested deeper than it writes: 254."""
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError:
        raise _bad("it is nested too deeply") from None


def checkpoint_entries(checkpoint: Checkpoint) -> list[Entry]:
    """The lane of the root actor: settlements in the order of the call log, each call before its own.

    Where a call stood among the deliveries is known from our own files. Otherwise its ``after`` is -1: it
    is put just before the first settlement of a call that was made no earlier.
    """
    calls = _root_records(checkpoint.call_log)
    waiting = sorted(calls, key=lambda call: call[0], reverse=True)
    entries: list[Entry] = []
    delivered = 0
    for index, (ordinal, record) in enumerate(calls, start=1):
        while waiting and (waiting[-1][0] <= ordinal or 0 <= waiting[-1][1].get("after", -1) <= delivered):
            entries.append(_started(*waiting.pop()))
        settled = _settled(ordinal, index, record)
        entries.append(settled)
        delivered += settled.delivered
    return entries


def _root_records(log: Sequence[Record]) -> list[tuple[int, Record]]:
    """The root actor's records in the order of the log, each with its ordinal."""
    root = [entry for entry in log if "parent_seq" not in entry and "/" not in entry.get("path", "")]
    if all("path" in record for record in root):
        numbered = [(int(record["path"]), record) for record in root]
    else:
        by_seq = sorted(record["seq"] for record in root)
        ordinals = {seq: ordinal for ordinal, seq in enumerate(by_seq, start=1)}
        numbered = [(ordinals[record["seq"]], record) for record in root]
    if len({ordinal for ordinal, _ in numbered}) < len(numbered):
        raise _bad("two records of `call_log` are of the same call")
    return numbered


def _started(ordinal: int, record: Record) -> Started:
    return Started(
        ordinal=ordinal,
        seq=record["seq"],
        after=record.get("after", -1),
        function=record["function"],
        args=orjson.dumps(record["args"]),
        at_ms=milliseconds_since_1970(record["timestamp"]),
        site=record.get("site"),
    )


def _settled(ordinal: int, index: int, record: Record) -> Settled:
    text = record.get("error")
    cancelled = None if "error_name" in record else _CANCELLATIONS.get(text or "")
    duration = record.get("duration_ms", 0)
    return Settled(
        ordinal=ordinal,
        index=index,
        at_ms=record.get("settled_at_ms", milliseconds_since_1970(record["timestamp"]) + round(duration)),
        duration_ms=duration,
        value=orjson.dumps(record.get("result")) if text is None else None,
        error=None if text is None or cancelled is not None else _error(record),
        cancelled=cancelled,
        token_usage=record.get("token_usage"),
        notes={name: value for name, value in record.items() if name not in _RECORD_FIELDS},
    )


def _error(record: Record) -> JsonObject:
    return {
        "message": record["error"],
        "name": record.get("error_name", "Error"),
        "data": record.get("error_data", {}),
    }


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
    ("settled_at_ms", int, "a whole number"),
)


def _record(record: object, place: int) -> Record:
    """A checked copy of a record, without those optional fields that are null."""
    where = f"record {place} of `call_log`"
    if not isinstance(record, dict):
        raise _bad(f"{where} is not an object")
    checked = {key: value for key, value in record.items() if value is not None or key in ("args", "result")}
    for name, kind, what in _REQUIRED:
        _typed(checked, name, kind, what, where)
    if "args" not in checked:
        raise _bad(f"{where}: `args` is missing")
    for name, kind, what in _OPTIONAL:
        if name in checked:
            _typed(checked, name, kind, what, where)
    if checked["seq"] < 1:
        raise _bad(f"{where}: `seq` is not a whole number from 1")
    if "path" in checked and not _PATH.fullmatch(checked["path"]):
        raise _bad(f"{where}: `path` is not a path such as 4 or 4/2")
    try:
        milliseconds_since_1970(checked["timestamp"])
    except ValueError:
        raise _bad(f"{where}: `timestamp` is not a time in RFC 3339") from None
    return checked


def _typed(values: Mapping[str, Any], name: str, kind: _Kind, what: str, where: str = "") -> Any:
    prefix = f"{where}: " if where else ""
    if name not in values:
        raise _bad(f"{prefix}`{name}` is missing")
    value = values[name]
    if not isinstance(value, kind) or isinstance(value, bool):
        raise _bad(f"{prefix}`{name}` is not {what}")
    return value


def _optional(document: Mapping[str, Any], name: str, kind: _Kind, what: str) -> Any:
    return None if document.get(name) is None else _typed(document, name, kind, what)


def _bad(what: str) -> ChidoriError:
    return ChidoriError(f"the checkpoint file cannot be used: {what}", hint=_HINT)
