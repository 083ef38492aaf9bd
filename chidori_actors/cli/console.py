"""``chidori console``: the front door on a store, with no agent served, opened in a browser."""

import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial

import click
import orjson

from ..errors import ChidoriError
from ..journal.checkpoint import parse_checkpoint
from ..journal.runs import decode_run, get_run
from ..journal.store import Store
from ..policy import Policy
from ..transfer import export_run, import_checkpoint
from .checkpoint_files import names_file, read_checkpoint
from .interruption import run_interruptibly
from .output import write
from .placement import command_settings, placement_options

_COMPARED = ("seq", "path", "function", "args", "result", "error")


@click.command("console")
@click.argument("run", required=False, metavar="[RUN_ID|FILE]")
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True, help="0 takes a free one.")
@click.option("--no-open", is_flag=True, help="Open no browser.")
@placement_options
def console(run: str | None, port: int, no_open: bool) -> int:
    """Look at the stored runs in a browser: follow, replay, edit, fork and answer them.

    With RUN_ID that run is shown; FILE is a checkpoint, which is imported first. No agent is served, and runs that were
    interrupted go on only when they are told to.
    """
    from ..front_door.server import Serving, serve  # aiohttp: 0.2 s that other commands save

    settings = command_settings()
    serving = Serving(None, port=port)
    data = read_checkpoint(run) if run is not None and names_file(run) else None
    shown = _Shown()
    with ExitStack() as browsers:

        def ready(url: str) -> None:
            page = f"{url}/console/" + (f"runs/{shown.id}" if shown.id is not None else "")
            write(f"Console of {shown.store} at {page}", err=True)
            if not no_open:
                _open(page, browsers)

        work = serve(
            settings,
            Policy.load(settings),
            serving,
            ready,
            prepare=partial(_find, shown, run, data),
            create=data is not None,
        )
        run_interruptibly(work)
    return 0


@dataclass(slots=True)
class _Shown:
    """What the page is to show: the run ``id``, if it is one, of the store at ``store``."""

    id: str | None = None
    store: str = ""


async def _find(shown: _Shown, run: str | None, data: bytes | None, store: Store) -> None:
    shown.store = str(store.path)
    if data is not None:
        shown.id = await _imported(store, data)
    elif run is not None:
        shown.id = get_run(store, run).id


async def _imported(store: Store, data: bytes) -> str:
    """The id of the run of a checkpoint, which is stored unless it is there already.

    Raises:
        ChidoriError: it is no checkpoint, or another run has its id.
    """
    run_id = parse_checkpoint(data).session_id
    value = store.get("runs", run_id.encode())
    if value is not None:
        if not _is_same(export_run(store, decode_run(store, run_id, value)), data):
            raise ChidoriError(
                f"the store has another run {run_id} than that of the file",
                hint="`chidori import FILE --as RUN_ID` gives it another id; then `chidori console RUN_ID`",
            )
        return run_id
    meta = await import_checkpoint(store, data)
    for warning in meta.warnings:
        write(f"warning: {warning}", err=True)
    return meta.id


def _is_same(stored: bytes, given: bytes) -> bool:
    """Whether two checkpoints tell the same of a run. Where it was imported from does not count, nor what one of them
    does not say."""
    ours, theirs = orjson.loads(stored), orjson.loads(given)
    calls, others = ours["call_log"], theirs["call_log"]
    if ours["input"] != theirs["input"] or len(calls) != len(others):
        return False
    return all(
        call.get(name) == other.get(name)
        for call, other in zip(calls, others, strict=True)
        for name in _COMPARED
        if name in call and name in other
    )


def _open(page: str, browsers: ExitStack) -> None:
    """Show the page in the user's browser, if there is one: in a process of its own, because some are programs of the
    terminal, and this one has better to do than to wait for them."""
    command = [sys.executable, "-m", "webbrowser", "-t", page]
    nowhere = subprocess.DEVNULL
    opening = subprocess.Popen(command, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
    browsers.callback(_let_go(opening))


def _let_go(opening: "subprocess.Popen[bytes]") -> Callable[[], None]:
    def let_go() -> None:
        if opening.poll() is None:
            opening.terminate()
            opening.wait()

    return let_go


COMMANDS: tuple[click.Command, ...] = (console,)
