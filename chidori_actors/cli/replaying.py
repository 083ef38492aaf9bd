"""``chidori replay`` and ``chidori verify``: a run against its record alone, with no provider."""

import click

from ..errors import ChidoriError
from ..journal.runs import get_run
from ..policy import Policy
from ..runtime import RunResult, Runtime, open_runtime
from ..session.attendance import Attendance
from ..session.outcome import Completed, Failed, RecordEnded
from .execution import Execution, RunOptions, execute, reporting_options
from .interruption import run_interruptibly
from .output import write
from .placement import command_settings, placement_options
from .plain_text import clip

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
    return execute(Execution(command_settings(), Policy(), RunOptions(**reporting)), work)


@click.command("verify")
@click.argument("run_ids", nargs=-1, required=True, metavar="RUN_ID…")
@placement_options
def verify(run_ids: tuple[str, ...]) -> int:
    """Replay each RUN_ID and compare the outputs, byte by byte."""
    return run_interruptibly(_verify_all(run_ids))


async def _verify_all(run_ids: tuple[str, ...]) -> int:
    code = 0
    async with open_runtime(command_settings(), policy=Policy(), create=False) as runtime:
        for run_id in run_ids:
            reason = await _fault(runtime, run_id)
            write(f"OK: {run_id}" if reason is None else f"FAILED: {run_id}: {clip(reason, _SHOWN)}")
            code = code if reason is None else 1
    return code


async def _fault(runtime: Runtime, run_id: str) -> str | None:
    """What is wrong with the run's record, or None."""
    try:
        meta = get_run(runtime.store, run_id)
        result = await runtime.replay(meta.id)
    except ChidoriError as error:
        return str(error)
    rest = result.rest
    if meta.status == "completed":
        if not isinstance(rest, Completed):
            return f"the run completed, its replay did not{_because(rest)}"
        if meta.output is None:
            return "its record has no output to compare with"
        return None if rest.output == meta.output else "the replay's output differs from the recorded one"
    if meta.status == "failed":
        recorded = (meta.error or {}).get("message")
        if isinstance(rest, Failed) and rest.error["message"] == recorded:
            return None
        return f"the run failed with: {recorded}; its replay did not{_because(rest)}"
    # An interrupted run may have been about to end; of the others the replay must stop where they did.
    if meta.status == "running" or isinstance(rest, RecordEnded):
        return None
    return f"the run is {meta.status}, its replay ended{_because(rest)}"


def _because(rest: object) -> str:
    return f" ({rest.error['message']})" if isinstance(rest, Failed) else ""


COMMANDS: tuple[click.Command, ...] = (replay, verify)
