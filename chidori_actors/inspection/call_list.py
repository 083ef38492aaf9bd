"""A run's calls as a list: filtered, searched, a page at a time."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ..journal.lanes import Started, read_lane
from ..journal.store import Store
from ..turns import Turns
from .labels import read_page_labels
from .picture import RunPicture
from .pictured import PicturedCall, State

_SEARCHED_BYTES = 1 << 20
"""So much of an args' or result's text is searched."""


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls are wanted; None is any. ``actor`` is a path, empty for the root; ``search`` is text in any case."""

    search: str | None = None
    function: str | None = None
    state: State | None = None
    actor: str | None = None


async def list_calls(
    store: Store, picture: RunPicture, wanted: CallFilter, *, offset: int = 0, limit: int = 100
) -> dict[str, Any]:
    """``{calls, total, offset, version}``: the calls that are wanted, by their seqs.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    version = picture.version
    found = [call for call in picture.contents.listed if _fits(picture, call, wanted)]
    if wanted.search:
        found = await _search(store, found, wanted.search)
    page = found[offset : offset + limit]
    await read_page_labels(store, page)
    return {
        "calls": [call_row(picture, call) for call in page],
        "total": len(found),
        "offset": offset,
        "version": version,
    }


def call_row(picture: RunPicture, call: PicturedCall) -> dict[str, Any]:
    """A call in a list."""
    return {
        "seq": call.seq,
        "path": call.path,
        "actor": call.lane.path,
        "function": call.function,
        "label": call.label or "",
        "state": picture.state(call),
        "recorded": picture.contents.is_recorded(call),
        "begin_ms": call.begin_ms,
        "end_ms": call.end_ms,
        "wait_ms": picture.wait_ms(call),
        "parent_seq": call.parent_seq,
        "error": call.error,
        "model": call.model,
        "input_tokens": call.input_tokens,
        "output_tokens": call.output_tokens,
    }


def _fits(picture: RunPicture, call: PicturedCall, wanted: CallFilter) -> bool:
    return (
        (wanted.function is None or call.function == wanted.function)
        and (wanted.actor is None or call.lane.path == wanted.actor)
        and (wanted.state is None or picture.state(call) == wanted.state)
    )


async def _search(store: Store, calls: list[PicturedCall], search: str) -> list[PicturedCall]:
    """Those that have the text in what is known of them, or else in their args or result, which are read."""
    text, turns = search.casefold(), Turns()
    found = {call.seq for call in calls if any(text in told.casefold() for told in _told(call))}
    for lane, left in _by_lane(call for call in calls if call.seq not in found):
        ordinals = {call.ordinal: call.seq for call in left}
        for entry in read_lane(store, lane):
            seq = ordinals.get(entry.ordinal)
            if seq is not None and seq not in found:
                given = entry.args if isinstance(entry, Started) else getattr(entry, "value", None)
                if given and text in given[:_SEARCHED_BYTES].decode("utf-8", "replace").casefold():
                    found.add(seq)
            await turns.over()
    return [call for call in calls if call.seq in found]


def _told(call: PicturedCall) -> Iterable[str]:
    return (told for told in (call.label, call.function, call.error) if told)


def _by_lane(calls: Iterable[PicturedCall]) -> Iterable[tuple[int, list[PicturedCall]]]:
    by_lane: dict[int, list[PicturedCall]] = {}
    for call in calls:
        by_lane.setdefault(call.lane.number, []).append(call)
    return by_lane.items()
