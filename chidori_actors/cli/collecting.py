"""``chidori gc``."""

import re
import sys
import time
from collections.abc import Iterator, Sequence

import click

from ..errors import UsageError
from ..journal.collection import Collected, Foreseen, collect, foresee
from ..journal.compaction import compact
from ..journal.runs import RunMeta
from ..journal.store import Store
from .interruption import run_interruptibly
from .opened_store import open_store
from .output import write
from .placement import command_settings, placement_options
from .plain_text import bytes_text, counted
from .progress import Progress, quiet_option
from .screen import printable

_AGE = re.compile(r"(\d{1,6})([hdw])")
_HOUR_MS = 3_600_000
_UNIT_MS = {"h": _HOUR_MS, "d": 24 * _HOUR_MS, "w": 7 * 24 * _HOUR_MS}
_SHOWN = 10


def _age(ctx: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """``12h``, ``30d`` or ``4w`` in milliseconds."""
    if text is None:
        return None
    found = _AGE.fullmatch(text.strip())
    if found is None:
        raise click.BadParameter(f"{text!r} is not an age; write 12h, 30d or 4w")
    return int(found[1]) * _UNIT_MS[found[2]]


@click.command("gc")
@click.option(
    "--older-than",
    "older_than_ms",
    callback=_age,
    metavar="AGE",
    help="Drop the ended runs that began longer ago than that: 12h, 30d, 4w.",
)
@click.option("--dry-run", is_flag=True, help="Say what would be dropped, and drop nothing.")
@click.option(
    "--compact", "compacting", is_flag=True, help="Give the disk back what is free; nothing may use the store."
)
@click.option("--yes", is_flag=True, help="Drop runs without asking.")
@quiet_option
@placement_options
def gc(older_than_ms: int | None, dry_run: bool, compacting: bool, yes: bool, quiet: bool) -> None:
    """Remove from the store what nobody needs any more.

    With --older-than those are old runs that completed, failed or were cancelled, and that no kept run is a branch of.
    Without it only large values go that no run refers to any more. Memory is never touched.
    """
    settings = command_settings()
    if compacting and settings.ray_address is not None:
        raise UsageError(
            "--compact needs the store to itself, and the cluster has it open",
            hint="stop the cluster with `chidori cluster stop`, then compact its store with --local on its node",
        )
    now_ms = int(time.time() * 1000)
    with Progress(quiet=quiet) as progress, open_store() as store:
        if dry_run or (older_than_ms is not None and not yes):
            found = foresee(store, older_than_ms=older_than_ms, now_ms=now_ms, tell=progress.tell)
            progress.end()
            if dry_run:
                _print(_foreseen_lines(found))
                return
            if found.runs:
                _ask(found)
        removed = run_interruptibly(_collect(store, older_than_ms, now_ms, progress))
    _print(_removed_lines(removed))
    if compacting:
        with Progress(quiet=quiet) as progress:
            progress.tell("compacting the store", at_once=True)
            done = compact(settings.store)
        write(f"compacted the store: {bytes_text(done.before)} → {bytes_text(done.after)}")


async def _collect(store: Store, older_than_ms: int | None, now_ms: int, progress: Progress) -> Collected:
    async with progress.ticking():
        return await collect(store, older_than_ms=older_than_ms, now_ms=now_ms, tell=progress.tell)


def _ask(found: Foreseen) -> None:
    """Let a person confirm that runs are dropped.

    Raises:
        UsageError: there is nobody to ask.
        Abort: the answer is no.
    """
    runs = counted(len(found.runs), "run")
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            f"{runs} would be dropped, and nobody is here to be asked",
            hint="--dry-run lists them, --yes drops them",
        )
    for line in _run_lines(found.runs):
        write(printable(line), err=True)
    click.confirm(f"Drop {runs} for good?", abort=True, err=True)


def _print(lines: Iterator[str]) -> None:
    for line in lines:
        write(printable(line))


def _foreseen_lines(found: Foreseen) -> Iterator[str]:
    yield f"would drop {counted(len(found.runs), 'run')}: {bytes_text(found.value_bytes)}"
    yield from _run_lines(found.runs)
    values = counted(found.blobs, "large value")
    yield f"would remove {values} that nothing else refers to: {bytes_text(found.blob_bytes)}"
    yield from _kept_lines(found.kept)


def _run_lines(runs: Sequence[RunMeta]) -> Iterator[str]:
    for run in runs[:_SHOWN]:
        yield f"  {run.id} {run.status} {run.agent}"
    if len(runs) > _SHOWN:
        yield f"  … and {len(runs) - _SHOWN} more"


def _removed_lines(removed: Collected) -> Iterator[str]:
    yield f"dropped {counted(removed.runs, 'run')}: {bytes_text(removed.value_bytes)}"
    yield f"removed {counted(removed.blobs, 'large value')} that nothing refers to: {bytes_text(removed.blob_bytes)}"
    yield from _kept_lines(removed.kept)


def _kept_lines(kept: Sequence[str]) -> Iterator[str]:
    if kept:
        yield f"kept {counted(len(kept), 'old run')} that a kept branch refers to or a process owns:"
        yield from (f"  {run_id}" for run_id in kept[:_SHOWN])
        if len(kept) > _SHOWN:
            yield f"  … and {len(kept) - _SHOWN} more"


COMMANDS: tuple[click.Command, ...] = (gc,)
