"""What a run of the throughput benchmark says: tables, JSON, a plot; and how far it is from the ideal."""

import os
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Literal

from .meters import Spent
from .svg_plot import Bar, stacked_bars
from .workloads import Workload

System = Literal["local", "ray"]


@dataclass(frozen=True, slots=True)
class Case:
    """A workload and what it runs on; ``hosts`` and ``actors_per_host`` are a cluster's."""

    load: Workload
    system: System
    hosts: int = 1
    actors_per_host: int = 256

    def __str__(self) -> str:
        if self.system == "local":
            return f"{self.load}, one process"
        return f"{self.load}, {self.hosts} hosts with {self.actors_per_host} actors each"


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement. ``spent`` is of this process; ``roles`` are processor seconds of a cluster's other processes,
    and ``inside`` is what is known of those of hosts.
    """

    case: Case
    spent: Spent
    roles: dict[str, float] = field(default_factory=dict)
    inside: dict[str, float] = field(default_factory=dict)

    @property
    def cpu(self) -> float:
        """Processor seconds of all processes."""
        return self.spent.cpu + sum(self.roles.values())

    @property
    def cpu_bound(self) -> float:
        """Seconds that it would take if every core had worked on it all the time."""
        return self.cpu / (os.cpu_count() or 1)

    @property
    def ideal(self) -> float:
        """The larger of the two bounds."""
        return max(self.case.load.latency_bound, self.cpu_bound)

    @property
    def parts(self) -> dict[str, float]:
        """Where the seconds of this process's event loop went; they add up to all of them."""
        spent = self.spent
        waits = "waits for calls" if self.case.system == "local" else "waits for hosts"
        return {
            "JavaScript": spent.javascript,
            "VMs made and freed": spent.vm,
            "other Python": spent.python,
            waits: spent.idle - spent.idle_for_journal,
            "waits for the journal": spent.idle_for_journal,
            "stalled": spent.stalled,
        }

    def as_json(self) -> dict[str, object]:
        """Everything, as JSON values; times in seconds."""
        return {
            "case": asdict(self.case),
            "seconds": self.spent.wall,
            "sessions_per_second": self.case.load.sessions / self.spent.wall,
            "calls_per_second": self.case.load.total_calls / self.spent.wall,
            "latency_bound": self.case.load.latency_bound,
            "cpu_bound": self.cpu_bound,
            "times_ideal": self.spent.wall / self.ideal,
            "event_loop": self.parts,
            "spent": asdict(self.spent),
            "cpu_by_role": self.roles,
            "inside_hosts": self.inside,
        }


def median_run(runs: Sequence[Run]) -> Run:
    """The one of them whose time is the median, or the next longer one."""
    return sorted(runs, key=lambda run: run.spent.wall)[len(runs) // 2]


def tables(runs: Sequence[Sequence[Run]]) -> str:
    """What came out, and where the time went, as Markdown."""
    return "\n\n".join([_results(runs), _event_loop(runs), *_journal(runs), *_cluster(runs)])


def _results(runs: Sequence[Sequence[Run]]) -> str:
    lines = [
        "| measured | median, s | all runs | sessions/s | calls/s "
        "| latency bound, s | CPU bound, s | times the larger |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for same in runs:
        run = median_run(same)
        load, wall = run.case.load, statistics.median(one.spent.wall for one in same)
        lines.append(
            f"| {run.case} | {wall:.3g} | {', '.join(f'{one.spent.wall:.3g}' for one in same)} "
            f"| {load.sessions / wall:,.0f} | {load.total_calls / wall:,.0f} | {load.latency_bound:.3g} "
            f"| {run.cpu_bound:.3g} | {wall / run.ideal:.2f} |"
        )
    return "\n".join(lines)


def _event_loop(runs: Sequence[Sequence[Run]]) -> str:
    chosen = [median_run(same) for same in runs]
    names = list(dict.fromkeys(name for run in chosen for name in run.parts))
    lines = [f"| event loop of the median run, s | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for run in chosen:
        shares = (f"{run.parts[name]:.3g} ({run.parts[name] / run.spent.wall:.0%})" for name in names)
        lines.append(f"| {run.case} | {' | '.join(shares)} |")
    return "\n".join(lines)


def _journal(runs: Sequence[Sequence[Run]]) -> list[str]:
    """The journal of this process, and its steps, when runs were in it."""
    chosen = [run for same in runs if (run := median_run(same)).case.system == "local"]
    if not chosen:
        return []
    lines = [
        "| journal of the median run | transactions | submissions | submissions in each | KB "
        "| in transactions, s | of that its processor time, s | steps of JavaScript | us each |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for run in chosen:
        spent = run.spent
        lines.append(
            f"| {run.case} | {spent.transactions:,} | {spent.submissions:,} "
            f"| {spent.submissions / max(1, spent.transactions):.3g} | {spent.submitted / 1e3:,.0f} "
            f"| {spent.journal:.3g} | {spent.journal_cpu:.3g} | {spent.steps:,} "
            f"| {spent.javascript / max(1, spent.steps) * 1e6:.3g} |"
        )
    return ["\n".join(lines)]


def _cluster(runs: Sequence[Sequence[Run]]) -> list[str]:
    """The processes of the cluster, when there was one."""
    chosen = [run for same in runs if (run := median_run(same)).roles]
    if not chosen:
        return []
    return [
        _by_name(
            "processor time by process, s", [(run, {"this process": run.spent.cpu} | run.roles) for run in chosen]
        ),
        _by_name("inside of the hosts", [(run, run.inside) for run in chosen]),
    ]


def _by_name(title: str, rows: Sequence[tuple[Run, dict[str, float]]]) -> str:
    names = list(dict.fromkeys(name for _, values in rows for name in values))
    lines = [f"| {title} | {' | '.join(names)} |", "|---" * (len(names) + 1) + "|"]
    for run, values in rows:
        lines.append(f"| {run.case} | {' | '.join(f'{values.get(name, 0.0):.4g}' for name in names)} |")
    return "\n".join(lines)


def plot(runs: Sequence[Sequence[Run]]) -> str:
    """Where the time of each median run went, in percent of it, as SVG."""
    bars = []
    for same in runs:
        run = median_run(same)
        label = (
            f"{run.case}: {run.spent.wall:.3g} s, {run.case.load.sessions / run.spent.wall:,.0f} sessions/s, "
            f"{run.spent.wall / run.ideal:.2f} times the ideal"
        )
        bars.append(Bar(label, {name: part / run.spent.wall * 100 for name, part in run.parts.items()}))
    return stacked_bars("Where the time of the event loop goes", "percent of the time", bars)
