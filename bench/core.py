"""The base: VM, journal, one run, many runs, start-up, resume after kill -9."""

import asyncio
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

import lmdb
import orjson

from chidori_actors.runtime import open_runtime
from chidori_actors.settings import Settings
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Bounds, Machine

from .measure import Figure, repeat
from .scenery import AGENTS, bundle_of, complete, new_vm, own_process, own_store

HELLO = Path(__file__).parent.parent / "agents" / "hello.ts"


def measure() -> list[Figure]:
    """Every figure of this suite; takes one to two minutes."""
    return [
        *_vm(),
        repeat("1 run x 1,000 sequential calls", "steps/s", lambda: 1000 / _run("sequential", calls=1000), aim="2,400"),
        _journal_alone(),
        repeat(
            "Promise.all of 100 calls of 50 ms", "s", lambda: _run("waiting", rounds=1, side=100, ms=50), aim="0.07"
        ),
        *_many_runs(),
        repeat("`chidori run --local agents/hello.ts`", "s", lambda: run_seconds(HELLO), times=5, aim="0.25"),
        repeat("kill -9 at 1,000 calls: process start to next call", "s", lambda: _resume(1_000), aim="0.35"),
        repeat("kill -9 at 20,000 calls: process start to next call", "s", lambda: _resume(20_000), aim="0.35"),
    ]


# -- the VM alone ------------------------------------------------------------------------------------------------------


def _vm() -> list[Figure]:
    machine = new_vm("sequential", calls=10**9)
    made = 0

    def step() -> float:
        nonlocal made
        began = time.perf_counter()
        for ordinal in range(made + 1, made + 2001):
            machine.step([(ordinal, b"[%d,1,null]" % ordinal)])
        made += 2000
        return (time.perf_counter() - began) / 2000 * 1e6

    def each(work: object, count: int = 50) -> float:
        assert callable(work)
        began = time.perf_counter()
        for _ in range(count):
            work()
        return (time.perf_counter() - began) / count * 1e3

    steps = repeat("VM: one step (settlement in, call out)", "us", step, aim="100")
    image = machine.image()
    engine, bounds = load_engine(), Bounds()
    return [
        steps,
        repeat(
            "VM: new, from the golden image", "ms", lambda: each(lambda: Machine(engine, bounds).close()), aim="0.3"
        ),
        repeat("VM: image after 6,000 calls", "ms", lambda: each(machine.image)),
        repeat("VM: restore that image", "ms", lambda: each(lambda: Machine.restore(engine, image, bounds).close())),
        repeat("VM: that image, uncompressed", "KB", lambda: len(image.encode(engine.golden_memory)) / 1e3, times=1),
    ]


# -- runs in this process ----------------------------------------------------------------------------------------------


def _run(agent: str, runs: int = 1, **options: int) -> float:
    """Seconds for ``runs`` runs at once, stored strictly, without opening and closing the store."""

    async def everything(settings: Settings) -> float:
        async with open_runtime(settings) as runtime:
            began = time.perf_counter()
            async with asyncio.TaskGroup() as group:
                for _ in range(runs):
                    group.create_task(complete(runtime, agent, **options))
            return time.perf_counter() - began

    bundle_of(agent)  # outside of the measured time
    with own_store() as settings:
        return asyncio.run(everything(settings))


def _journal_alone() -> Figure:
    """LMDB with a transaction of about the same size for each step, and nothing else: the bound of the disk."""

    def once() -> float:
        with own_store() as settings, lmdb.open(str(settings.store), map_size=1 << 34, max_dbs=1) as environment:
            database = environment.open_db(b"lanes")
            began = time.perf_counter()
            for number in range(1000):
                with environment.begin(write=True, db=database) as transaction:
                    transaction.put(number.to_bytes(16, "big"), bytes(300))
            return 1000 / (time.perf_counter() - began)

    return repeat("  LMDB alone in the same session", "commits/s", once)


def _many_runs() -> list[Figure]:
    runs = own_process(
        "from bench import core, measure; "
        "print(core._run('waiting', runs=1000, rounds=10, side=1, ms=50), measure.peak_rss_mb())"
    )
    idle = own_process(
        "from bench import measure, scenery; vms = [scenery.new_vm('sequential', calls=1) for _ in range(1000)]; "
        "print(measure.private_mb())"
    )
    return [
        Figure("1,000 runs x 10 calls of 50 ms", "s", statistics.median(runs[0]), runs[0], "1.5"),
        Figure("  peak RSS (counts the shared golden image once per VM)", "MB", statistics.median(runs[1]), runs[1]),
        Figure("1,000 VMs that wait for a call: private memory", "MB", statistics.median(idle[0]), idle[0], "250"),
    ]


# -- processes ---------------------------------------------------------------------------------------------------------


def _chidori(settings: Settings, *arguments: str) -> tuple[list[str], dict[str, str]]:
    environment = {**os.environ, "CHIDORI_DB_PATH": str(settings.store)}
    return [sys.executable, "-m", "chidori_actors", *arguments], environment


def run_seconds(agent: Path) -> float:
    """Wall time of a process that runs that agent and ends."""
    with own_store() as settings:
        command, environment = _chidori(settings, "run", "--local", str(agent))
        began = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True)
        return time.perf_counter() - began


def _resume(calls: int) -> float:
    """Run until ``calls`` calls are recorded, kill -9, resume: seconds from process start to the first new record."""
    agent = str(AGENTS / "sequential.ts")
    with own_store() as settings:
        command, environment = _chidori(
            settings, "run", agent, "--stream", "-i", orjson.dumps({"calls": 10**9}).decode()
        )
        run_id = _until(command, environment, lambda record: record["seq"] >= calls)[1]
        command, environment = _chidori(settings, "resume", agent, run_id, "--stream")
        return _until(command, environment, lambda record: not record.get("replayed"))[0]


def _until(command: list[str], environment: dict[str, str], reached: object) -> tuple[float, str]:
    """Start ``command --stream``, read records until one is ``reached``, kill -9: seconds it took, and the run's id."""
    assert callable(reached)
    began = time.perf_counter()
    process = subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        run_id = process.stderr.readline().split()[-1].decode()
        for line in process.stdout:
            event = orjson.loads(line)
            if event["type"] == "call" and reached(event["record"] | {"replayed": event.get("replayed")}):
                return time.perf_counter() - began, run_id
        raise RuntimeError("the run ended before the benchmark's point: " + process.stderr.read().decode())
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
