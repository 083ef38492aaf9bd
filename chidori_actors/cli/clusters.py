"""``chidori cluster``."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import orjson

from ..clipping import clip
from ..placement.clusters import ClusterOptions, ClusterStatus, ClusterSystem, DrainReport, StopReport, find_system
from ..settings import load_settings
from .output import write
from .plain_text import bytes_text, counted, duration_text
from .screen import printable

_SHOWN_RUNS = 20
_SHORT_ID = 8
_Row = tuple[str, ...]


def _address_option(command: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--address",
        metavar="A",
        help="The cluster: auto, or HOST:PORT of its head [default: CHIDORI_RAY_ADDRESS, auto].",
    )(command)


@click.group("cluster")
def cluster() -> None:
    """Start, look at, drain and stop the cluster that agents run on."""


@cluster.command("start")
@_address_option
@click.option("--store", type=click.Path(path_type=Path), metavar="PATH", help="The journal, on the head's disk.")
@click.option("--hosts", type=click.IntRange(1), metavar="N", help="Processes to start ahead [default: one per core].")
@click.option("--max-hosts", type=click.IntRange(1), metavar="N", help="When all are full [default: twice --hosts].")
@click.option("--actors-per-host", type=click.IntRange(1), metavar="N", help="Room in each [default: 256].")
@click.option("--shards", type=click.IntRange(1, 256), metavar="N", help="Parts of the journal [default: 1].")
def start(
    address: str | None,
    store: Path | None,
    hosts: int | None,
    max_hosts: int | None,
    actors_per_host: int | None,
    shards: int | None,
) -> None:
    """Start hosts, journal and supervisor on a Ray cluster that runs; what is there already stays."""
    settings = load_settings()
    options = ClusterOptions(_address(address), store, shards, hosts, max_hosts, actors_per_host)
    started = _system().start(settings, options)
    nodes = counted(len(started.nodes), "node")
    write(printable(f"{counted(len(started.hosts), 'host')} on {nodes}; the journal is in {started.store}"))


@cluster.command("status")
@_address_option
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(address: str | None, as_json: bool) -> None:
    """Show nodes, hosts, actors and the journal."""
    found = _system().status(ClusterOptions(_address(address)))
    if as_json:
        write(orjson.dumps(asdict(found), option=orjson.OPT_INDENT_2))
    else:
        _show(found)


@cluster.command("drain")
@_address_option
@click.argument("node")
def drain(address: str | None, node: str) -> None:
    """Move everything away from NODE: the beginning of its id, its address, or its host name."""
    report = _system().drain(ClusterOptions(_address(address)), node)
    for line in _drain_lines(report):
        write(printable(line))


@cluster.command("stop")
@_address_option
def stop(address: str | None) -> None:
    """End hosts, journal and supervisor. Runs that are under way can be resumed."""
    report = _system().stop(ClusterOptions(_address(address)))
    for line in _stop_lines(report):
        write(printable(line))


def _system() -> ClusterSystem:
    return find_system("chidori cluster")


def _address(given: str | None) -> str:
    return given or load_settings().ray_address or "auto"


def _drain_lines(report: DrainReport) -> Iterator[str]:
    moved = f"{counted(report.runs, 'run')} and {counted(report.actors, 'actor')}"
    where = f"{report.node[:_SHORT_ID]} ({report.address})"
    yield f"moved {moved} away from {where} in {duration_text(report.seconds * 1000)}"
    if report.cut_off:
        yield f"taken from hosts that did not let go, and continued from their record: {', '.join(report.cut_off)}"
    yield "nothing is left on it; `ray stop` may be run there"


def _stop_lines(report: StopReport) -> Iterator[str]:
    yield f"stopped {counted(report.hosts, 'host')} and {counted(report.shards, 'journal shard')}"
    if report.runs:
        yield f"{counted(len(report.runs), 'run')} can be resumed:"
        yield from (f"  {run_id}" for run_id in report.runs[:_SHOWN_RUNS])
        if len(report.runs) > _SHOWN_RUNS:
            yield f"  … and {len(report.runs) - _SHOWN_RUNS} more"


def _show(found: ClusterStatus) -> None:
    write(printable(found.version))
    _table("Nodes", ("NODE", "ADDRESS", "HOST NAME", "CPUS", "GPUS", "STATE", "HOSTS"), _node_rows(found))
    _table(
        "Hosts",
        ("HOST", "NODE", "PID", "STATE", "ACTORS", "ROOM", "RUNS", "MEMORY", "LOAD", "RESOURCES"),
        _host_rows(found),
    )
    _table(f"Journal ({found.durability})", ("SHARD", "NODE", "PATH", "SIZE", "STATE"), _shard_rows(found))
    if found.losses:
        _table("Lost hosts", ("WHEN", "HOST", "NODE", "RUNS", "REASON"), _loss_rows(found))
    write(f"{counted(found.runs, 'run')} under way, {counted(found.waiting, 'actor')} waiting for room")
    if found.failure is not None:
        write(printable(f"the last host could not start: {clip(found.failure, 300)}"))


def _node_rows(found: ClusterStatus) -> Iterator[_Row]:
    for node in found.nodes:
        figures = f"{node.cpus:g}", f"{node.gpus:g}", node.state, str(node.hosts)
        yield (node.id[:_SHORT_ID], node.address, node.hostname, *figures)


def _host_rows(found: ClusterStatus) -> Iterator[_Row]:
    for host in found.hosts:
        yield (
            host.name,
            host.node[:_SHORT_ID],
            "" if host.pid is None else str(host.pid),
            "no journal" if host.journal_reachable is False else host.state,
            str(host.actors),
            str(host.room),
            str(host.runs),
            "" if host.memory_bytes is None else bytes_text(host.memory_bytes),
            "" if host.load is None else f"{host.load:.0%}",
            host.need,
        )


def _shard_rows(found: ClusterStatus) -> Iterator[_Row]:
    for shard in found.shards:
        size = "" if shard.size_bytes is None else bytes_text(shard.size_bytes)
        yield shard.name, shard.node[:_SHORT_ID], shard.path, size, "up" if shard.reachable else "unreachable"


def _loss_rows(found: ClusterStatus) -> Iterator[_Row]:
    for loss in found.losses:
        when = datetime.fromtimestamp(loss.at_ms / 1000).isoformat(" ", "seconds")
        yield when, loss.host, loss.node[:_SHORT_ID], str(loss.runs), loss.reason


def _table(title: str, header: _Row, rows: Iterable[_Row]) -> None:
    """``rich`` fits it to a terminal; what is piped is not cut."""
    from rich.console import Console  # 60 ms that other commands save
    from rich.table import Table

    console = Console(markup=False, highlight=False)
    if not console.is_terminal:
        console.width = 10_000
    shown = Table(*header, title=title, title_justify="left", box=None, pad_edge=False)
    for row in rows:
        shown.add_row(*map(printable, row))
    with console.capture() as printed:
        console.print(shown)
    for line in printed.get().splitlines():
        write(line.rstrip())


COMMANDS: tuple[click.Command, ...] = (cluster,)
