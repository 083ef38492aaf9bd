"""The labels of calls whose args are too large to be kept: they are read when somebody is to see them."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice

from ..journal.store import Store
from ..turns import Turns
from .call_entries import started_entry
from .pictured import PicturedCall

_MOST_READ = 50
"""Of one answer: each is a blob, which may be a message away. Those left out have theirs in a later answer."""
_MOMENT_S = 0.015
"""After so long no further one is read where others wait for it: a blob may be of many megabytes."""


def read_labels(store: Store, calls: Iterable[PicturedCall]) -> None:
    """Give labels to those of the calls that have none, as far as that takes no longer than a moment.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    began = time.perf_counter()
    for call in _unnamed(calls):
        _name(store, call)
        if time.perf_counter() - began > _MOMENT_S:
            return


async def read_page_labels(store: Store, calls: Iterable[PicturedCall]) -> None:
    """The same for a page that waits for its labels; others have their turns meanwhile.

    Raises:
        StoreError: an entry is missing or damaged.
    """
    turns = Turns()
    for call in _unnamed(calls):
        _name(store, call)
        await turns.over()


def _unnamed(calls: Iterable[PicturedCall]) -> Iterator[PicturedCall]:
    return islice((call for call in calls if call.label is None and call.started is not None), _MOST_READ)


def _name(store: Store, call: PicturedCall) -> None:
    started = started_entry(store, call)
    if started is not None:
        call.name_by(started.args)
