"""The part of a run's timeline that somebody looks at: some lanes, a span of time, so many pixels."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from ..journal.store import Store
from .labels import read_labels
from .picture import RunPicture
from .pictured import PicturedCall, PicturedLane, Row

_LAST_ROW = 7
_MOST_BARS = 3000
"""When there would be more of them, pixels are made coarser."""


@dataclass(frozen=True, slots=True)
class Window:
    """``count`` lanes from the ``first`` on, between two moments (None: the run's own), ``width`` pixels wide."""

    first: int = 0
    count: int = 60
    from_ms: int | None = None
    to_ms: int | None = None
    width: int = 1200


@dataclass(frozen=True, slots=True)
class _Span:
    from_ms: int
    to_ms: int
    pixel_ms: float

    def end_of_pixel(self, at_ms: int) -> float:
        pixel = max(0, at_ms - self.from_ms) // self.pixel_ms
        return self.from_ms + (pixel + 1) * self.pixel_ms


def timeline(store: Store, picture: RunPicture, window: Window) -> dict[str, Any]:
    """The window of the picture, as ``GET /sessions/{id}/timeline`` gives it. Calls that would be narrower than a pixel
    are merged; as many calls as there may be, it costs only what is seen of them.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    contents, now_ms = picture.contents, picture.now_ms
    lanes = contents.ordered[window.first : window.first + window.count]
    span = _span(picture, window, lanes, now_ms)
    found = [(lane, list(_groups(lane, span))) for lane in lanes]
    read_labels(store, (group for _, groups in found for _, group in groups if isinstance(group, PicturedCall)))
    return {
        "version": picture.version,
        "unchanged": False,
        "status": picture.status,
        "live": picture.live,
        "started_ms": picture.started_ms,
        "now_ms": now_ms,
        "lane_count": len(contents.ordered),
        "call_count": len(contents.by_seq),
        "counts": picture.counts(),
        "lanes": [
            _lane(picture, lane) | {"bars": [_bar(picture, *group) for group in groups]} for lane, groups in found
        ],
    }


@dataclass(frozen=True, slots=True)
class _Merged:
    calls: Row
    first: int
    stop: int


def _span(picture: RunPicture, window: Window, lanes: list[PicturedLane], now_ms: int) -> _Span:
    from_ms = picture.started_ms if window.from_ms is None else window.from_ms
    to_ms = max(from_ms + 1, now_ms if window.to_ms is None else window.to_ms)
    expected = 0
    for row in (row for lane in lanes for row in lane.rows):
        seen = row.first_beginning_after(to_ms + 1) - row.first_ending_after(from_ms)
        expected += min(max(0, seen), window.width)
    columns = window.width * min(1.0, _MOST_BARS / max(1, expected))
    return _Span(from_ms, to_ms, (to_ms - from_ms) / max(1.0, columns))


def _groups(lane: PicturedLane, span: _Span) -> Iterator[tuple[int, "PicturedCall | _Merged"]]:
    for number, row in enumerate(lane.rows):
        shown, stop = min(number, _LAST_ROW), row.first_beginning_after(span.to_ms + 1)
        at = row.first_ending_after(span.from_ms)
        while at < stop:
            call = row.calls[at]
            after = min(stop, row.first_ending_after(span.end_of_pixel(call.begin_ms), at))
            if after - at > 1:
                yield shown, _Merged(row, at, after)
                at = after
            else:
                yield shown, call
                at += 1


def _lane(picture: RunPicture, lane: PicturedLane) -> dict[str, Any]:
    meta, state = lane.meta, picture.lane_state(lane)
    if meta is None:
        ended = picture.now_ms if state not in ("running", "waiting") else None
        begin_ms = picture.started_ms
    else:
        begin_ms = lane.begin_ms
        ended = max(begin_ms, lane.last_ms) if state not in ("running", "waiting") else None
    parent = lane.parent
    return {
        "path": lane.path,
        "kind": "root" if meta is None else meta.kind,
        "name": _name(picture, lane),
        "depth": lane.depth,
        "parent_path": None if parent is None else parent.lane.path,
        "parent_seq": None if parent is None else parent.seq,
        "index": 0 if meta is None else meta.index,
        "state": state,
        "begin_ms": begin_ms,
        "end_ms": ended,
        "call_count": len(lane.calls),
    }


def _name(picture: RunPicture, lane: PicturedLane) -> str:
    if lane.meta is None or lane.parent is None:
        return PurePath(picture.run.agent).name
    if lane.meta.kind == "branch":
        return f"branch {lane.meta.index} of #{lane.parent.seq}"
    return lane.parent.inside or lane.parent.function


def _bar(picture: RunPicture, row: int, group: "PicturedCall | _Merged") -> dict[str, Any]:
    if isinstance(group, _Merged):
        return _merged_bar(row, group)
    return {
        "seq": group.seq,
        "path": group.path,
        "function": group.function,
        "label": group.label or "",
        "state": picture.state(group),
        "recorded": picture.contents.is_recorded(group),
        "begin_ms": group.begin_ms,
        "end_ms": group.end_ms,
        "wait_ms": picture.wait_ms(group),
        "row": row,
        "open_question": group.ended is None and any(asked["seq"] == group.seq for asked in picture.questions),
    }


def _merged_bar(row: int, merged: _Merged) -> dict[str, Any]:
    calls, first, stop = merged.calls, merged.first, merged.stop
    # Of a row only the last call may be under way, and that one is never merged.
    failed = calls.failed[stop] - calls.failed[first]
    cancelled = calls.cancelled[stop] - calls.cancelled[first]
    return {
        "merged": stop - first,
        "first_seq": calls.calls[first].seq,
        "last_seq": calls.calls[stop - 1].seq,
        "state": "failed" if failed else "cancelled" if cancelled else "done",
        "recorded": calls.recorded[stop] - calls.recorded[first] == stop - first,
        "begin_ms": calls.calls[first].begin_ms,
        "end_ms": calls.calls[stop - 1].end_ms,
        "row": row,
    }
