"""What a program in CPython cannot reach: files, the environment, the network, the clock, chance, other executions."""

import asyncio
from typing import Any

import pytest

from chidori_actors.sandbox.pool import WorkerPool
from tests.sandbox.executions import NOW_MS, fault, value

from . import needs_cpython

pytestmark = [*needs_cpython, pytest.mark.asyncio(loop_scope="module")]

MEMORY_MB = 512


async def of(pool: WorkerPool, source: str, **options: Any) -> Any:
    return await value(pool, "cpython", source, memory_mb=MEMORY_MB, **options)


UNREACHABLE = {
    "open('/etc/passwd')": "FileNotFoundError",
    "open('/usr/local/lib/../../../etc/passwd')": ("FileNotFoundError", "PermissionError"),
    "open('/tmp/x', 'w')": "FileNotFoundError",
    "open('/usr/local/lib/x', 'w')": "PermissionError",
    "import os\nos.listdir('/')": "FileNotFoundError",
    "import os\nos.listdir('/tmp')": "FileNotFoundError",
    "import os\nos.listdir(os.environ['HOME'])": "FileNotFoundError",
    "import os\nos.symlink('/etc', '/usr/local/lib/etc')": "PermissionError",
    "import socket\nsocket.create_connection(('127.0.0.1', 80))": "AttributeError",
    "import socket\nsocket.socket().connect(('127.0.0.1', 80))": "OSError",
    "import subprocess\nsubprocess.run(['ls'])": "OSError",
    "import os\nos.fork()": "AttributeError",
    "import ctypes\nctypes.string_at(0, 4)": "OSError",
    "from host import tools\ntools.anything()": ("ImportError", "ModuleNotFoundError", "ToolError", "AttributeError"),
    "files = []\nwhile True: files.append(open('/usr/local/lib/python315.zip'))": "OSError",
}


@pytest.mark.parametrize("source", UNREACHABLE)
async def test_nothing_of_the_machine_can_be_reached(source: str, cpython: WorkerPool) -> None:
    failed = await fault(cpython, "cpython", source, memory_mb=MEMORY_MB)
    assert failed.thrown in UNREACHABLE[source]
    assert not any(text in f"{failed} {failed.printed}" for text in ("site-packages", "chidori", "/root", ".cache"))


async def test_nothing_tells_of_the_environment(cpython: WorkerPool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MARKER", "of the host")
    source = "import os, sys\n[dict(os.environ), sys.argv, os.getcwd(), sys.path, os.listdir('/usr/local/lib')]"
    environ, argv, *rest = await of(cpython, source)
    assert environ == {"HOME": "/home", "PYTHONTZPATH": "", "TMPDIR": "/tmp"}
    assert (argv, rest) == (["-c"], ["/", ["/usr/local/lib/python315.zip"], ["python315.zip"]])


async def test_the_clock_stands_still_and_reading_files_tells_no_time(cpython: WorkerPool) -> None:
    told = await of(
        cpython,
        """
import datetime, os, sys, time
def described():
    places = [sys.path[0], "/usr/local/lib", sys.path[0] + "/matplotlib/mpl-data"]
    with open(sys.path[0]) as opened:
        found = [os.stat(place) for place in places] + [os.fstat(opened.fileno()), os.fstat(0)]
    found += [entry.stat() for entry in os.scandir("/usr/local/lib")]
    return [getattr(stat, f"st_{kind}time_ns") for stat in found for kind in "amc"]
before = time.perf_counter()
for entry in os.scandir(sys.path[0] + "/matplotlib/mpl-data"):
    if entry.is_file(): open(entry.path, "rb").read()
sum(range(3_000_000))
[set(described()) == {0}, os.stat(sys.path[0]).st_size > 0, time.time_ns(), str(datetime.datetime.now(datetime.UTC)),
 round(time.perf_counter() - before, 6)]
""",
    )
    assert told == [True, True, NOW_MS * 10**6, "2023-11-14 22:13:20+00:00", 0.001]


async def test_chance_comes_from_the_seed(cpython: WorkerPool) -> None:
    source = (
        "import os, random, secrets, uuid, numpy\n"
        "[random.random(), secrets.token_hex(), str(uuid.uuid4()), os.urandom(10**5)[-8:].hex(), numpy.random.rand(1)]"
    )
    once = await of(cpython, source, seed="one")
    assert await of(cpython, source, seed="one") == once
    other = await of(cpython, source, seed="other")
    assert not set(map(str, once)) & set(map(str, other))


async def test_an_execution_leaves_no_mark_on_the_next(cpython: WorkerPool) -> None:
    assert await of(cpython, "import builtins, sys, math\nbuiltins.mark = sys.mark = math.pi = 3\n1") == 1
    assert (
        await of(
            cpython, "import builtins, sys, math\nhasattr(builtins, 'mark') or hasattr(sys, 'mark') or math.pi == 3"
        )
        is False
    )


async def test_nothing_connects(cpython: WorkerPool) -> None:
    seen: list[object] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(writer.get_extra_info("peername"))
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        for call in (
            f"import socket\nsocket.socket().connect(('127.0.0.1', {port}))",
            f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:{port}')",
        ):
            failed = await fault(cpython, "cpython", call, memory_mb=MEMORY_MB)
            assert failed.thrown in ("OSError", "URLError", "AttributeError")
    assert seen == []
