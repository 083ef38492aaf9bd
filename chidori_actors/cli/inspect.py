"""The commands that look at stored runs and carry them elsewhere."""

from collections import deque
from collections.abc import Iterator
from pathlib import Path

import click
import orjson

from .. import exact_json
from ..errors import ChidoriError, UsageError
from ..files import replace_file
from ..history import snapshot as read_snapshot
from ..imported_source import Source
from ..journal.call_count import recorded_calls
from ..journal.runs import RunMeta, get_run
from ..journal.store import Store
from ..settings import load_settings
from ..transfer import export_run, import_checkpoint
from .checkpoint_files import read_checkpoint
from .interruption import run_interruptibly
from .opened_store import open_store
from .placement import command_settings, placement_options
from .plain_text import bytes_text, counted
from .progress import Progress, quiet_option
from .run_list import RunList, read_runs, run_list_json, run_list_lines
from .screen import printable
from .statistics import read_statistics, statistics_json, statistics_lines
from .tools import tools_option
from .trace_lines import render_trace, trace_json

STATUSES = ("running", "interrupted", "completed", "failed", "cancelled", "paused", "awaitingapproval")
_LINES_AT_ONCE = 256
_PATIENCE_S = 60.0
"""A run whose host was lost goes on by itself on another one, and has no owner until then."""
_MANY_CALLS, _MANY_BYTES = 2000, 1 << 20
"""What takes about a second, in which nothing tells how far it is."""

as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def _print(lines: Iterator[str]) -> None:
    """A line at a time would be a write at a time."""
    waiting: deque[str] = deque()
    for line in lines:
        waiting.append(line)
        if len(waiting) == _LINES_AT_ONCE:
            click.echo("\n".join(waiting))
            waiting.clear()
    if waiting:
        click.echo("\n".join(waiting))


@click.command("trace")
@click.argument("run_id")
@click.option("--live", is_flag=True, help="Follow the run until it ends; Ctrl-C stops looking, not the run.")
@as_json
@placement_options
def trace(run_id: str, live: bool, as_json: bool) -> None:
    """Print the calls of RUN_ID and what they add up to.

    With --live a run that is under way, in whatever process, is shown as a tree that keeps up with it. Through a pipe
    every call is a line as soon as it ends, until the run ends or pauses. Ctrl-C leaves the run alone and is no error.
    """
    if live and as_json:
        raise UsageError("--live and --json exclude each other")
    with open_store() as store:
        meta = get_run(store, run_id)
        if live:
            from .following import follow  # rich, and what the console reads runs with: of use to nothing else here

            on_cluster = command_settings().ray_address is not None
            follow(store, meta, patience_s=_PATIENCE_S if on_cluster else 0)
        elif as_json:
            click.echo(trace_json(store, meta))
        else:
            _print(render_trace(store, meta))


@click.command("snapshot")
@click.argument("run_id")
@placement_options
def snapshot(run_id: str) -> None:
    """Print the manifest of RUN_ID as JSON.

    It says how the run stands, what must match to continue it, and which images of its actors are stored.
    """
    with open_store() as store:
        click.echo(exact_json.dumps(read_snapshot(store, get_run(store, run_id)), option=orjson.OPT_INDENT_2))


@click.command("runs")
@click.option("--status", type=click.Choice(STATUSES), help="Only runs of this status.")
@click.option("--limit", type=click.IntRange(1, 10_000), default=20, show_default=True, help="At most so many.")
@click.option("--cursor", metavar="C", help="Go on after an earlier list, which printed this.")
@as_json
@placement_options
def runs(status: str | None, limit: int, cursor: str | None, as_json: bool) -> None:
    """List the stored runs, the newest first."""
    with open_store() as store:
        found: RunList = read_runs(store, status=status, limit=limit, cursor=cursor)
    if as_json:
        click.echo(run_list_json(found))
        return
    for line in run_list_lines(found):
        click.echo(printable(line))
    if found.next_cursor is not None:
        click.echo(f"more: --cursor {found.next_cursor}", err=True)


@click.command("stats")
@as_json
@placement_options
def stats(as_json: bool) -> None:
    """Print what all stored runs add up to.

    Runs by status, calls by function, tokens and cost by model.
    """
    with open_store() as store:
        found = read_statistics(store)
    for run_id in found.damaged:
        click.echo(printable(f"warning: run {run_id} is damaged and not counted"), err=True)
    if as_json:
        click.echo(statistics_json(found))
        return
    for line in statistics_lines(found):
        click.echo(printable(line))


@click.command("export")
@click.argument("run_id")
@click.option("-o", "--output", metavar="FILE", help="Write to FILE instead of the standard output.")
@click.option("--force", is_flag=True, help="Overwrite FILE.")
@quiet_option
@placement_options
def export(run_id: str, output: str | None, force: bool, quiet: bool) -> None:
    """Write RUN_ID as a file for `chidori import`."""
    path = None if output in (None, "-") else Path(output or "").resolve()
    if path is not None:
        _check_target(path, force)
    with open_store() as store, Progress(quiet=quiet) as progress:
        meta = get_run(store, run_id)
        calls = recorded_calls(store, meta)
        if calls >= _MANY_CALLS:
            progress.tell(f"exporting {counted(calls, 'call')}", at_once=True)
        data = export_run(store, meta)
    if path is None:
        click.echo(data)
    else:
        _write_file(path, data + b"\n")
        click.echo(f"{meta.id} → {path}", err=True)


def _check_target(path: Path, force: bool) -> None:
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is not a regular file", hint="leave -o out to write to the standard output")
    if path.exists() and not force:
        raise UsageError(f"{path} exists", hint="overwrite it with --force")


def _write_file(path: Path, data: bytes) -> None:
    try:
        replace_file(path, data)
    except OSError as error:
        raise ChidoriError(f"{path} cannot be written: {error.strerror}", hint="name another file with -o") from None


@click.command("import")
@click.argument("file")
@click.option("--as", "run_id", metavar="RUN_ID", help="The id in this store, instead of the one in the file.")
@click.option("--agent", metavar="AGENT", help="The agent's file, for a checkpoint that does not carry its source.")
@click.option("--allow-source-change", is_flag=True, help="Take AGENT although it is not what was recorded.")
@tools_option
@quiet_option
@placement_options
def import_(
    file: str, run_id: str | None, agent: str | None, allow_source_change: bool, tools: tuple[Path, ...], quiet: bool
) -> None:
    """Store the run of a file of `chidori export`, or of one that a server answered to GET /sessions/ID/checkpoint.

    FILE may be `-`, the standard input. Prints the run's id, and warns of what the file lacks.
    """
    source = None
    if agent is not None:
        from ..agent_source import load_agent  # the compiler and the VM, which the other commands here do without

        source = Source(load_agent(Path(agent), load_settings().runtime_policy, tools), allow_source_change)
    elif allow_source_change or tools:
        raise UsageError("--allow-source-change and --tools are for a source that --agent names")
    data = read_checkpoint(file)
    with open_store(create=True) as store, Progress(quiet=quiet) as progress:
        progress.tell(f"importing {bytes_text(len(data))}", at_once=len(data) >= _MANY_BYTES)
        meta = run_interruptibly(_import(store, data, run_id, source, progress))
    for warning in meta.warnings:
        click.echo(printable(f"warning: {warning}"), err=True)
    click.echo(meta.id)


async def _import(store: Store, data: bytes, run_id: str | None, source: Source | None, progress: Progress) -> RunMeta:
    async with progress.ticking():
        return await import_checkpoint(store, data, run_id=run_id, source=source)


COMMANDS: tuple[click.Command, ...] = (trace, snapshot, runs, stats, export, import_)
