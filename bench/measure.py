"""Repeating, medians, tables, and the facts of the machine that a figure belongs to."""

import os
import platform
import resource
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure: the median of ``runs`` and all of them, in ``unit``; ``aim`` is what we are after."""

    name: str
    unit: str
    median: float
    runs: tuple[float, ...]
    aim: str = ""


def repeat(name: str, unit: str, once: Callable[[], float], *, times: int = 3, aim: str = "") -> Figure:
    """Measure ``times`` times; the median counts."""
    runs = tuple(once() for _ in range(times))
    return Figure(name, unit, statistics.median(runs), runs, aim)


class Rows:
    """Figures that are measured in rounds, in the order in which their names come up first."""

    def __init__(self) -> None:
        self._runs: dict[tuple[str, str], list[float]] = {}

    def add(self, name: str, unit: str, value: float) -> None:
        """One round's value of the figure of that name."""
        self._runs.setdefault((name, unit), []).append(value)

    def figures(self) -> list[Figure]:
        """The median of each."""
        return [Figure(name, unit, statistics.median(runs), tuple(runs)) for (name, unit), runs in self._runs.items()]


def peak_rss_mb() -> float:
    """The largest resident memory that this process has had, in MB (10^6 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def private_mb(process: int | str = "self") -> float:
    """Memory that only that process has, in MB: pages that it shares with the cache of its files are not in it."""
    return _memory_mb(process, "Private_Dirty")


def pss_mb(process: int) -> float:
    """Memory of that process in MB; of a page that several processes share, its part."""
    return _memory_mb(process, "Pss")


def _memory_mb(process: int | str, kind: str) -> float:
    for line in Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
        if line.startswith(f"{kind}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise RuntimeError(f"/proc/{process}/smaps_rollup has no {kind}")


def machine() -> dict[str, str | int | float]:
    """What the figures were measured on."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    packages = ("wasmtime", "quickjs-rs", "lmdb", "litellm")
    return {
        "cpu": cpu,
        "cores": os.cpu_count() or 0,
        "memory_gib": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 30,
        "load_before": round(os.getloadavg()[0], 2),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        **{name: version(name) for name in packages},
    }


def table(figures: list[Figure]) -> str:
    """The figures as a Markdown table."""
    lines = ["| measured | median | all runs | aim |", "|---|---|---|---|"]
    for figure in figures:
        runs = ", ".join(f"{value:.4g}" for value in figure.runs)
        lines.append(f"| {figure.name} | {figure.median:.4g} {figure.unit} | {runs} | {figure.aim} |")
    return "\n".join(lines)


def report(figures: list[Figure]) -> dict[str, object]:
    """Everything as JSON values."""
    return {"machine": machine(), "figures": [asdict(figure) for figure in figures]}
