"""Prometheus' text format: counters, gauges and histograms, as lines."""

import bisect
import threading
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

Labels = tuple[tuple[str, str], ...]
"""Names and values, in the order in which they are written."""

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class Histogram:
    """Counts of observations up to each of ``bounds`` (ascending, in the metric's unit). May be used from threads."""

    __slots__ = ("_bounds", "_counts", "_lock", "_sum")

    def __init__(self, bounds: tuple[float, ...]) -> None:
        self._bounds = bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._lock = threading.Lock()

    def observe(self, value: float) -> None:
        place = bisect.bisect_left(self._bounds, value)
        with self._lock:
            self._counts[place] += 1
            self._sum += value

    def samples(self, name: str, labels: Labels) -> Iterator[str]:
        """The lines of this histogram, which is one of the metric ``name``."""
        with self._lock:
            counts, total = list(self._counts), self._sum
        reached = 0
        for bound, count in zip((*map(_number, self._bounds), "+Inf"), counts, strict=True):
            reached += count
            yield _sample(f"{name}_bucket", (*labels, ("le", bound)), reached)
        yield _sample(f"{name}_sum", labels, total)
        yield _sample(f"{name}_count", labels, reached)


def metric(
    name: str, kind: Literal["counter", "gauge"], text: str, values: Iterable[tuple[Labels, float]]
) -> Iterator[str]:
    """The lines of a metric: what it is, and a sample for each of ``values``."""
    yield from _head(name, kind, text)
    for labels, value in values:
        yield _sample(name, labels, value)


def histogram(name: str, text: str, histograms: Mapping[Labels, Histogram]) -> Iterator[str]:
    """The lines of a metric that has a histogram for each of its labels."""
    yield from _head(name, "histogram", text)
    for labels, each in sorted(histograms.items()):
        yield from each.samples(name, labels)


def _head(name: str, kind: str, text: str) -> Iterator[str]:
    yield f"# HELP {name} {text}\n"
    yield f"# TYPE {name} {kind}\n"


def _sample(name: str, labels: Labels, value: float) -> str:
    inside = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{inside}}} {_number(value)}\n" if inside else f"{name} {_number(value)}\n"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
