"""Everything about one call."""

from collections.abc import Iterator, Mapping
from typing import Any

import orjson

from ..journal.lanes import Settled, Started
from ..journal.store import Store
from ..session.failure import Place
from .call_entries import settled_entry, started_entry
from .picture import RunPicture
from .pictured import PicturedCall
from .prompt_view import prompt_view
from .source_excerpt import place_view, source_excerpt

_SHOWN = 256 << 10
"""Longer texts are cut."""
_MOST_LANES = 500


def call_detail(
    store: Store, picture: RunPicture, call: PicturedCall, told: Started | None, *, whole: bool = False
) -> dict[str, Any]:
    """The call as ``GET /sessions/{id}/calls/{seq}`` gives it, but for its open question. ``told`` is a call under way
    as it was made, for one that is not in the store yet; ``whole`` cuts nothing.

    Raises:
        StoreError: an entry or the source is missing or damaged.
    """
    started = told if call.started is None else started_entry(store, call)
    settled = settled_entry(store, call)
    if started is not None:
        call.name_by(started.args)
    place = picture.places.find(call.lane.source, None if started is None else started.site)
    args = b"null" if started is None else started.args
    result = None if settled is None else settled.value
    limit = None if whole else _SHOWN
    end_ms = picture.now_ms if call.end_ms is None else call.end_ms
    wait_ms = picture.wait_ms(call)
    return {
        "seq": call.seq,
        "path": call.path,
        "actor": call.lane.path,
        "function": call.function,
        "parent_seq": call.parent_seq,
        "state": picture.state(call),
        "recorded": picture.contents.is_recorded(call),
        "origin_run_id": picture.contents.origin(call, picture.run.origin_run_id),
        "label": call.label or "",
        "begin_ms": call.begin_ms,
        "end_ms": call.end_ms,
        "began_ms": call.began_ms,
        "duration_ms": None if settled is None else round(settled.duration_ms),
        "wait_ms": wait_ms,
        "attempt": 1 if started is None else started.attempt,
        "args": _shown(args, limit),
        "result": None if result is None else _shown(result, limit),
        "error": None if settled is None else _error(call, settled, place),
        **_edited(settled),
        "truncated": {"args": _is_cut(args, limit), "result": _is_cut(result, limit)},
        "prompt": _prompt(picture, started, settled, limit),
        "attempts": _attempts(call, settled),
        "queue": {"wait_ms": wait_ms, "run_ms": max(0, end_ms - call.begin_ms - wait_ms)},
        **_place(picture, call, place),
        "children": _children(call),
        "stream": None if call.ended is not None else picture.streams.view(call.seq),
    }


def _is_cut(text: bytes | None, limit: int | None) -> bool:
    return text is not None and limit is not None and len(text) > limit


def _shown(text: bytes, limit: int | None) -> Any:
    """JSON text as it stands, or the beginning of it."""
    if limit is None or len(text) <= limit:
        return orjson.Fragment(text)
    return {"$truncated": text[:limit].decode("utf-8", "ignore")}


def _error(call: PicturedCall, settled: Settled, place: Place | None) -> dict[str, Any] | None:
    """Where it was thrown: inside of the call, or where the call was made."""
    if call.error is None:
        return None
    error = {} if settled.cancelled is not None or settled.error is None else settled.error
    inner: Mapping[str, Any] = error.get("inner") or {}
    own_line = None if place is None else place.source_line.strip()
    return {
        "message": call.error,
        "name": error.get("name", "Error") if error else "AbortError",
        "data": error.get("data") or None,
        "location": inner.get("location") or (None if place is None else str(place)),
        "source_line": inner.get("source_line") if inner.get("location") else own_line,
        "stack": inner.get("stack"),
    }


def _edited(settled: Settled | None) -> dict[str, Any]:
    notes = {} if settled is None else settled.notes
    note = notes.get("note")
    return {"edited": notes.get("edited") is True, "note": note if isinstance(note, str) else None}


def _prompt(
    picture: RunPicture, started: Started | None, settled: Settled | None, limit: int | None
) -> dict[str, Any] | None:
    if started is None or started.function != "prompt":
        return None
    root = picture.contents.root.source
    view = prompt_view(started, settled, () if root is None else picture.places.bundle(root).tools)
    return view if view is None or limit is None else _cut_texts(view, limit)


def _cut_texts(value: Any, limit: int) -> Any:
    """The value with its long texts cut, ``…`` behind them."""
    if isinstance(value, str):
        return value if len(value) <= limit else value[:limit] + "…"
    if isinstance(value, list):
        return [_cut_texts(each, limit) for each in value]
    if isinstance(value, dict):
        return {name: _cut_texts(each, limit) for name, each in value.items()}
    return value


def _attempts(call: PicturedCall, settled: Settled | None) -> list[dict[str, Any]]:
    """The attempts at a prompt that has ended. When each began is not recorded."""
    if call.function != "prompt" or settled is None:
        return []
    noted = settled.notes.get("attempts")
    failed = [each for each in noted if isinstance(each, dict)] if isinstance(noted, list) else []
    errors: list[str | None] = [str(each.get("error", "")) for each in failed]
    if call.ended == "done":
        return [*_numbered([*errors, None])]
    return [*_numbered(errors or [call.error])]


def _numbered(errors: list[str | None]) -> Iterator[dict[str, Any]]:
    for number, error in enumerate(errors, start=1):
        yield {"number": number, "error": error, "began_ms": None, "duration_ms": None}


def _place(picture: RunPicture, call: PicturedCall, place: Place | None) -> dict[str, Any]:
    if place is None or call.lane.source is None:
        return {"place": None, "source": None}
    bundle = picture.places.bundle(call.lane.source)
    return {"place": place_view(place), "source": source_excerpt(bundle, place)}


def _children(call: PicturedCall) -> dict[str, Any]:
    inside = [lane for lane in call.lane.inside if lane.parent is call]
    calls = sum(len(each.calls) for lane in inside for each in lane.within())
    return {"lanes": [lane.path for lane in inside[:_MOST_LANES]], "calls": calls}
