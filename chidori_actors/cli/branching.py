"""``chidori branch``."""

import click

from ..edited_results import not_json
from ..errors import UsageError
from ..journal.json_text import parse_json
from ..journal.runs import get_run
from ..policy import Policy, Profile
from ..runtime import RunResult, Runtime
from ..session.attendance import Attendance
from .execution import Execution, RunOptions, execute, profile_options, reporting_options
from .opened_store import open_store
from .placement import command_settings, placement_options


@click.command("branch")
@click.argument("run_id")
@click.option(
    "--at",
    "seq",
    type=click.IntRange(1),
    required=True,
    metavar="SEQ",
    help="The call that answers differently: its number in `chidori trace`.",
)
@click.option("--result", metavar="JSON", help="What it answers; a text stands in double quotes.")
@click.option("--error", metavar="TEXT", help="The message that it fails with instead.")
@click.option("--note", metavar="TEXT", help="Why; kept in the call's record.")
@click.option("--as", "new_id", metavar="RUN_ID", help="The id of the new run, instead of a random one.")
@reporting_options
@placement_options
@profile_options
def branch(
    run_id: str,
    seq: int,
    result: str | None,
    error: str | None,
    note: str | None,
    new_id: str | None,
    profile: Profile | None,
    **reporting: bool,
) -> int:
    """Run RUN_ID again from one of its calls on, with another answer.

    The new run has the history of RUN_ID before the end of the call SEQ. No call of it is made again but those that
    were under way at that moment: these get idempotency keys of the new run. From there on it goes its own way, with
    the recorded source. RUN_ID stays as it is, and so does what its calls did to the world and to `memory`.
    """
    if (result is None) == (error is None):
        raise UsageError("say what the call answers instead: with --result JSON or with --error TEXT, one of them")
    edited = None if result is None else _json_text(result)
    settings = command_settings()
    policy = Policy.load(settings, profile=profile)
    with open_store() as store:
        parent = get_run(store, run_id)

    async def work(runtime: Runtime, attendance: Attendance) -> RunResult:
        return await runtime.branch(
            parent.id,
            seq,
            result=edited,
            error=error,
            note=note,
            new_id=new_id,
            policy_profile=profile,
            attendance=attendance,
        )

    return execute(Execution(settings, policy, RunOptions(**reporting), agent=parent.agent), work)


def _json_text(text: str) -> bytes:
    data = text.strip().encode("utf-8", "replace")
    try:
        parse_json(data)
    except ValueError:
        raise not_json(text) from None
    return data


COMMANDS: tuple[click.Command, ...] = (branch,)
