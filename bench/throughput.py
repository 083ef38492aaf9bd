"""Parallel agent throughput, in this process or on a cluster, where the time goes, and how far it is from the ideal."""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson

from chidori_actors.runtime import open_runtime

from .measure import machine
from .meters import Idleness, Spent, metered, run_metered
from .number_arguments import milliseconds, positive
from .scenery import bundle_of, own_store
from .throughput_report import Case, Run, plot, tables
from .workloads import NAMES, Workload, perform, workload

_HOSTS = (1, 2, 4)
_SHARED = 256
_PER_PROCESS = 25
"""Where each session has a process of its own: so many of them after one another in each."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this suite."""
    parser.add_argument("--scenario", choices=(*NAMES, "hosts", "all"), default="sessions")
    parser.add_argument("--system", choices=("local", "ray"), default="local")
    parser.add_argument("--hosts", type=positive, default=2, help="hosts of the cluster (ray; default 2)")
    parser.add_argument("--actors-per-host", type=positive, default=_SHARED, help=f"(ray; default {_SHARED})")
    parser.add_argument("--agents", type=positive, help="sessions, instead of the scenario's own number")
    parser.add_argument("--branches", type=positive, help="branches of each session, where the scenario has any")
    parser.add_argument("--calls", type=positive, help="calls of each session or branch")
    parser.add_argument("--latency-ms", type=milliseconds, help="what each call takes")
    parser.add_argument("--repeat", type=positive, default=3, help="measure so often; medians count (default 3)")
    parser.add_argument("--plot", type=Path, help="draw where the time goes there, as SVG")


def cases(options: argparse.Namespace) -> list[Case]:
    """What is to be measured.

    Raises:
        ValueError: there are no hosts to vary in one process.
    """
    names = NAMES if options.scenario == "all" else () if options.scenario == "hosts" else (options.scenario,)
    given = {"branches": options.branches, "calls": options.calls, "latency_ms": options.latency_ms}
    found = [
        Case(
            workload(name, agents=options.agents, **given),
            options.system,
            1 if options.system == "local" else options.hosts,
            options.actors_per_host,
        )
        for name in names
    ]
    if options.scenario == "hosts" and options.system == "local":
        raise ValueError("the scenario `hosts` varies the hosts of a cluster: add --system ray")
    if options.scenario == "hosts" or (options.scenario == "all" and options.system == "ray"):
        for hosts in _HOSTS:
            for actors in (_SHARED, 1):
                agents = options.agents or (None if actors > 1 else hosts * _PER_PROCESS)
                found.append(Case(workload("sessions", agents=agents, **given), "ray", hosts, actors))
    return found


def execute(options: argparse.Namespace) -> int:
    """Measure, print the tables, write the files."""
    try:
        chosen = cases(options)
    except ValueError as mistake:
        print(f"Error: {mistake}", file=sys.stderr)
        return 2
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()), file=sys.stderr)
    runs = [list(repeated(case, options.repeat)) for case in chosen]
    print(tables(runs))
    if options.json is not None:
        document = {"machine": facts, "runs": [run.as_json() for same in runs for run in same]}
        options.json.write_bytes(orjson.dumps(document, option=orjson.OPT_INDENT_2))
    if options.plot is not None:
        options.plot.write_text(plot(runs))
    return 0


def repeated(case: Case, times: int) -> Iterator[Run]:
    """Measure ``times`` times."""
    for name in ("throughput", "asking"):
        bundle_of(name)
    if case.system == "ray":
        from .ray_system import measured  # Ray is an extra, and takes a second to import

        yield from (Run(case, *one) for one in measured(case.load, case.hosts, case.actors_per_host, times))
        return
    for _ in range(times):
        yield Run(case, in_this_process(case.load))


def in_this_process(load: Workload) -> Spent:
    """One measurement on a new store, without opening and closing it."""
    with own_store() as settings:

        async def once(idleness: Idleness) -> Spent:
            async with open_runtime(settings) as runtime:
                # The first run of a process loads what later ones find there.
                await perform(runtime, workload("sessions", agents=1, calls=1, latency_ms=0))
                return await metered(lambda: perform(runtime, load), runtime.store, idleness)

        return run_metered(once)
