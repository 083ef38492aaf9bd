"""``chidori resume``."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import click

from ..agent_source import load_agent
from ..answers import OLDEST, Prepared, match_answers
from ..errors import UsageError
from ..journal.runs import get_run
from ..policy import Policy, Profile
from ..runtime import RunResult, Runtime
from ..session.attendance import Attendance
from .execution import (
    Execution,
    RunOptions,
    execute,
    profile_options,
    reporting_options,
)
from .placement import Command, command_settings, placement_options
from .tools import tools_option


def _check_seqs(ctx: click.Context, option: click.Parameter, seqs: tuple[str, ...]) -> tuple[str, ...]:
    for seq in seqs:
        if seq != OLDEST and not seq.isdecimal():
            raise click.BadParameter(
                f"{seq!r} is not the number of a question; without a number the option goes after RUN_ID"
            )
    return seqs


def _decision(name: str, meaning: str) -> Callable[[Command], Command]:
    """An option that may be given several times, each time with the number of a question or without."""
    return click.option(
        name, multiple=True, is_flag=False, flag_value=OLDEST, callback=_check_seqs, metavar="[SEQ]", help=meaning
    )


@click.command("resume")
@click.argument("file")
@click.argument("run_id")
@click.option("--recorded-source", is_flag=True, help="Go on with the source that the run was started with.")
@click.option("--allow-source-change", is_flag=True, help="Replay with the source on disk and go on from there.")
@click.option("--answer", "answers", multiple=True, metavar="[SEQ=]TEXT", help="Answer an open question.")
@_decision("--approve", "Allow the call that waits for approval.")
@_decision("--deny", "Refuse the call that waits for approval.")
@tools_option
@reporting_options
@placement_options
@profile_options
def resume(
    file: str,
    run_id: str,
    recorded_source: bool,
    allow_source_change: bool,
    answers: tuple[str, ...],
    approve: tuple[str, ...],
    deny: tuple[str, ...],
    tools: tuple[Path, ...],
    profile: Profile | None,
    **reporting: bool,
) -> int:
    """Continue the run RUN_ID of the agent in FILE, beside which its sub-agents are looked for from now on.

    A paused run asks its open questions again, an interrupted one goes on where it was, a failed one makes
    the call again whose error ended it, and a completed one is replayed.
    """
    if recorded_source and allow_source_change:
        raise UsageError("--recorded-source and --allow-source-change exclude each other")
    settings = command_settings()
    policy = Policy.load(settings, profile=profile)

    async def work(runtime: Runtime, attendance: Attendance) -> RunResult:
        meta = get_run(runtime.store, run_id)
        folders = tools or tuple(Path(folder) for folder in meta.tool_folders)
        entry = Path(file)
        current = None if recorded_source else load_agent(entry, settings.runtime_policy, folders)
        if answers or approve or deny:
            prepared = Prepared(match_answers(meta.pending, answers, approve, deny), attendance.questions)
            attendance = replace(attendance, questions=prepared)
        return await runtime.resume(
            meta.id,
            current=current,
            entry=entry if entry.is_file() else None,  # the recorded source needs none
            allow_source_change=allow_source_change,
            policy_profile=profile,
            attendance=attendance,
        )

    return execute(Execution(settings, policy, RunOptions(**reporting), agent=file), work)


COMMANDS: tuple[click.Command, ...] = (resume,)
