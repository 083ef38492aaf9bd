"""``chidori replay`` and ``chidori verify``: a run against its record alone, with no provider."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import click

from ..clipping import clip
from ..errors import ChidoriError
from ..journal.runs import get_run
from ..policy import Policy
from ..runtime import RunResult, Runtime, open_runtime
from ..session.attendance import Attendance
from ..settings import Settings
from ..transfer import import_checkpoint
from ..verification import replay_fault
from .checkpoint_files import names_file, read_checkpoint
from .execution import Execution, RunOptions, execute, reporting_options
from .interruption import run_interruptibly
from .output import write
from .placement import command_settings, placement_options
from .progress import Progress, quiet_option

_SHOWN = 300


@click.command("replay")
@click.argument("run_id")
@reporting_options
@placement_options
def replay(run_id: str, **reporting: bool) -> int:
    """Run RUN_ID again from its record alone and print its output."""

    async def work(runtime: Runtime, attendance: Attendance) -> RunResult:
        return await runtime.replay(run_id, attendance=attendance)

    # No call is made, so there is nothing to decide, and a policy that cannot be read is in nobody's way.
    execution = Execution(command_settings(), Policy(), RunOptions(**reporting), replays=run_id)
    return execute(execution, work)


@click.command("verify")
@click.argument("runs", nargs=-1, required=True, metavar="RUN_ID|FILE…")
@quiet_option
@placement_options
def verify(runs: tuple[str, ...], quiet: bool) -> int:
    """Replay each RUN_ID and compare the outputs, byte by byte.

    FILE is a checkpoint: one of `chidori export`, or what a server answered to GET /sessions/ID/checkpoint. It is
    verified in a store of its own, which is forgotten.
    """
    with Progress(quiet=quiet) as progress:
        return run_interruptibly(_verify_all(runs, progress))


async def _verify_all(runs: Sequence[str], progress: Progress) -> int:
    settings, code = command_settings(), 0
    async with AsyncExitStack() as opened, progress.ticking():
        runtime: Runtime | None = None
        for number, run in enumerate(runs):
            progress.tell("verifying: runs", number, len(runs))
            if names_file(run):
                fault = await _fault_of_file(run, settings)
            else:
                if runtime is None:
                    runtime = await opened.enter_async_context(open_runtime(settings, policy=Policy(), create=False))
                fault = await _fault(runtime, run)
            progress.erase()
            write(f"OK: {run}" if fault is None else f"FAILED: {run}: {clip(fault, _SHOWN)}")
            code = code if fault is None else 1
    return code


async def _fault(runtime: Runtime, run_id: str) -> str | None:
    """What is wrong with the run's record, or None."""
    try:
        meta = get_run(runtime.store, run_id)
        result = await runtime.replay(meta.id)
    except ChidoriError as error:
        return str(error)
    return replay_fault(meta, result.rest)


async def _fault_of_file(file: str, settings: Settings) -> str | None:
    """What is wrong with the record in a checkpoint file, or None."""
    with TemporaryDirectory(prefix="chidori-verify-") as folder:
        alone = replace(settings, store=Path(folder) / "store", ray_address=None, resources=())
        try:
            data = read_checkpoint(file)
            async with open_runtime(alone, policy=Policy()) as runtime:
                meta = await import_checkpoint(runtime.store, data)
                return await _fault(runtime, meta.id)
        except ChidoriError as error:
            return str(error)


COMMANDS: tuple[click.Command, ...] = (replay, verify)
