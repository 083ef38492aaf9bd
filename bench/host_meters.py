"""What goes on inside of a cluster's processes: put into each by Ray at its start, and read from files."""

import contextlib
import os
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import orjson

from chidori_actors.vm.machine import Machine

from .meters import Stopwatch

FOLDER = "CHIDORI_BENCH_METERS"
"""The environment variable with the directory of the files, one for each process."""
WRITTEN_EVERY_S = 0.2

_JAVASCRIPT = ("step",)
_VM = ("__init__", "restore", "image", "close")


def install() -> None:
    """Watch this process from now on (the ``worker_process_setup_hook`` of Ray)."""
    from ray.actor import ActorMethod  # Ray is an extra

    watch = Stopwatch()
    stack = ExitStack()
    for name in (*_JAVASCRIPT, *_VM):
        stack.enter_context(watch.watching(Machine, name))
    stack.enter_context(watch.watching(ActorMethod, "remote"))
    file = Path(os.environ[FOLDER]) / str(os.getpid())

    def write() -> None:
        with stack:  # the thread keeps the functions watched for as long as somebody reads
            while file.parent.is_dir():
                _write(file, watch)
                time.sleep(WRITTEN_EVERY_S)

    threading.Thread(target=write, name="bench meters", daemon=True).start()


def _write(file: Path, watch: Stopwatch) -> None:
    figures = {
        "JavaScript, s": sum(watch.seconds[name] for name in _JAVASCRIPT),
        "VMs made and freed, s": sum(watch.seconds[name] for name in _VM),
        "sending messages, s": watch.seconds["remote"],
        "all, s": time.process_time(),
        "steps": watch.calls["step"],
        "messages sent": watch.calls["remote"],
    }
    part = file.with_suffix(".part")
    with contextlib.suppress(FileNotFoundError):  # the measurement ended meanwhile
        part.write_bytes(orjson.dumps(figures))
        part.rename(file)


def inside_hosts(folder: Path) -> dict[str, float]:
    """The figures of all processes that have run a VM, added up."""
    total: dict[str, float] = {}
    for file in folder.iterdir():
        if file.suffix:
            continue
        figures: dict[str, float] = orjson.loads(file.read_bytes())
        if figures["steps"]:
            for name, value in figures.items():
                total[name] = total.get(name, 0.0) + value
    return total
