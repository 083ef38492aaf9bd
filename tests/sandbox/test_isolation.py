"""What untrusted code cannot reach: this machine, other executions, and anything but its own result."""

import asyncio
import os
import resource
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from chidori_actors import exact_json
from chidori_actors.sandbox.execution import Kind, SandboxFault
from chidori_actors.sandbox.pool import WorkerPool

from .executions import NOW_MS, UNEXPECTED, children, fault, outcome, value, workers

pytestmark = pytest.mark.asyncio(loop_scope="module")

OUTSIDE = ("/root", "/usr", "/home", "site-packages", "chidori_actors", "Traceback", ".py", "MARKER-VALUE")
"""No error has any of these."""


async def said(pool: WorkerPool, kind: Kind, source: str, **options: Any) -> str:
    """All that an execution lets be seen, whether it fails or not."""
    try:
        done = await outcome(pool, kind, source, **options)
    except SandboxFault as failed:
        seen = f"{failed} {failed.fields()} {failed.printed}"
    else:
        seen = f"{exact_json.loads(done.value)} {done.printed}"
    assert UNEXPECTED not in seen
    return seen


ABSENT = [
    *("chidori", "process", "__prelude", "XMLHttpRequest", "WebSocket", "Worker", "Deno", "std", "os", "navigator"),
    *("performance", "SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry", "gc"),
]
SAME_REALM = {
    "directly": "return NAMES.map((name) => typeof globalThis[name])",
    "by eval": "return (0, eval)('NAMES.map((name) => typeof globalThis[name])')",
    "by Function": "return Function('return NAMES.map((name) => typeof this[name])')()",
    "by the constructor of async functions": (
        "return (async () => {}).constructor('return NAMES.map((name) => typeof globalThis[name])')()"
    ),
    "by the constructor of generators": (
        "return (function* () {}).constructor('yield NAMES.map((name) => typeof globalThis[name])')().next().value"
    ),
}


@pytest.mark.parametrize("way", SAME_REALM)
async def test_nothing_of_agents_or_hosts_is_in_the_realm(way: str, pool: WorkerPool) -> None:
    names = str([*ABSENT, "chidori:starlark"]).replace("'", '"')
    source = SAME_REALM[way].replace("NAMES", names)
    assert await value(pool, "js", source) == ["undefined"] * (len(ABSENT) + 1)


REFUSED: Mapping[str, str] = {
    "setTimeout(() => 1, 1)": "setTimeout is not there in a sandbox, which has no timers",
    "setInterval(() => 1, 1)": "which has no timers",
    "fetch('http://URL/')": "fetch is not there in a sandbox, which has no network",
    "require('fs')": "require is not there in a sandbox, which has no modules",
    "await import('fs')": "Error resolving module 'fs'",
    "await import('chidori')": "Error resolving module 'chidori'",
    "await import('chidori:starlark')": "Error resolving module",
    "await import('/etc/passwd')": "Error resolving module",
    "await import('http://URL/')": "Error resolving module",
    "return await Function('return import(\"fs\")')()": "Error resolving module",
}
PYTHON: Mapping[str, str] = {
    "open('/etc/passwd').read()": "PermissionError",
    "open('/proc/self/environ').read()": "PermissionError",
    "import os\nos.environ['MARKER']": "RuntimeError",
    "import os\nos.getenv('MARKER')": "RuntimeError",
    "import os\nos.listdir('/')": "PermissionError",
    "import os\nos.system('id')": "AttributeError",
    "import pathlib\npathlib.Path('/etc/passwd').read_text()": "PermissionError",
    "import pathlib\npathlib.Path('/tmp/x').write_text('x')": "PermissionError",
    "import pathlib\nlist(pathlib.Path('/').iterdir())": "PermissionError",
    "import pathlib\npathlib.Path('/etc/passwd').exists()": "PermissionError",
    "import socket": "ModuleNotFoundError",
    "import subprocess": "ModuleNotFoundError",
    "import urllib.request": "ModuleNotFoundError",
    "import http.client": "ModuleNotFoundError",
    "import ctypes": "ModuleNotFoundError",
    "import builtins": "ModuleNotFoundError",
    "import importlib": "ModuleNotFoundError",
    "__import__('os')": "NameError",
    "import asyncio\nawait asyncio.open_connection('127.0.0.1', PORT)": "AttributeError",
    "().__class__.__bases__[0].__subclasses__()": "AttributeError",
    "(lambda: 0).__globals__": "AttributeError",
    "print.__self__": "AttributeError",
}
"""The class of the error of each: that of a source with a mistake in it is another one."""


async def test_no_execution_opens_a_connection_or_a_module(pool: WorkerPool) -> None:
    connections = 0

    async def count(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        writer.close()

    async with await asyncio.start_server(count, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        for source, reason in REFUSED.items():
            failed = await fault(pool, "js", source.replace("URL", f"{host}:{port}"))
            assert reason in str(failed)
            assert not any(text in str(failed) for text in ("site-packages", "Traceback", "chidori_actors"))
        for source, thrown in PYTHON.items():
            failed = await fault(pool, "python", source.replace("PORT", str(port)))
            assert failed.thrown == thrown, f"{source}: {failed}"
        _, writer = await asyncio.open_connection(host, port)
        writer.close()
        await writer.wait_closed()
    assert connections == 1  # the one that shows that connections are counted


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("js", "throw new Error(Object.getOwnPropertyNames(globalThis).join() + new Error('x').stack)"),
        ("js", "Error.prepareStackTrace = (e, frames) => frames.map((f) => f.getFileName()).join(); throw new Error()"),
        ("js", "structuredClone(() => 1)"),
        ("js", "console.trace('here'); new URL('nope')"),
        ("python", "import sys\nraise ValueError(str([sys.version, sys.platform]))"),
        ("python", "def f():\n  1 / 0\nf()"),
        ("wasm", '(module (func (export "f") unreachable))'),
        ("wasm", '(module (func (export "f") (result i32)))'),
    ],
)
async def test_no_path_of_this_machine_and_nothing_of_python_s_own_is_seen(
    kind: Kind, source: str, pool: WorkerPool
) -> None:
    seen = await said(pool, kind, source)
    assert not [text for text in OUTSIDE if text in seen], seen


async def test_the_only_time_is_that_of_the_call(pool: WorkerPool) -> None:
    busy = "const first = Date.now(); for (let i = 0; i < 3e5; i++); return [first, Date.now(), +new Date()]"
    assert await value(pool, "js", busy) == [NOW_MS] * 3
    source = """
import time, datetime
first = [time.time(), time.monotonic()]
for i in range(100_000): pass
[first, [time.time(), time.monotonic()], str(datetime.datetime.now()), str(datetime.date.today())]"""
    first, second, now, today = await value(pool, "python", source)
    assert first == second
    assert (first[0], now, today) == (NOW_MS / 1000, "2023-11-14 22:13:20", "2023-11-14")


MARKS: Mapping[str, tuple[Kind, str, str]] = {
    "globals": ("js", "globalThis.mark = 1; return 0", "typeof mark"),
    "prototypes": ("js", "Object.prototype.mark = 1; Array.prototype.mark = 1; return 0", "typeof ({}).mark"),
    "built-ins": ("js", "JSON.stringify = () => 'x'; Math.mark = 1; return 0", "typeof Math.mark"),
    "symbols": ("js", "globalThis[Symbol.for('mark')] = 1; return 0", "typeof globalThis[Symbol.for('mark')]"),
    "names": ("python", "mark = 1\nresult = 0", "try:\n  mark\nexcept NameError:\n  result = 'undefined'"),
    "modules": (
        "python",
        "import math\ntry:\n  math.mark = 1\nexcept Exception: pass\nresult = 0",
        "import math\nresult = 'defined' if hasattr(math, 'mark') else 'undefined'",
    ),
    "names of built-ins": ("python", "len = print = 5\nresult = 0", "result = 'undefined' if len('a') == 1 else len"),
}


@pytest.mark.parametrize("where", MARKS)
async def test_an_execution_leaves_nothing_to_the_next_one_in_its_process(where: str) -> None:
    kind, leave, look = MARKS[where]
    before = workers()
    pool = WorkerPool("engine", 1)
    try:
        assert await value(pool, kind, leave) == 0
        process = workers() - before
        assert await value(pool, kind, look) == "undefined"
        assert workers() - before == process
    finally:
        await pool.aclose()


POLLUTED = [
    "Object.prototype.toJSON = () => 666",
    "Object.prototype.toJSON = () => undefined",
    "Object.prototype.toJSON = () => ({ name: 1, message: 2, stack: 3, call: 'x' })",
    "Array.prototype.toJSON = () => 666",
    "Array.prototype.push = Array.prototype.map = Array.prototype.join = () => 'done\\t1'",
    "Object.defineProperty(Object.prototype, '0', { get() { return 'evil' }, set() { throw 1 } })",
    "Object.defineProperty(Array.prototype, '0', { set() { throw new Error('evil') } })",
    "Object.defineProperty(Object.prototype, 'message', { get() { throw 1 }, set() { throw 2 } })",
    "Promise.prototype.then = function (done) { done(666) }",
    "Promise.prototype.then = function () { throw 1 }",
    "globalThis.Promise = undefined; globalThis.Error = undefined",
    "Error.prepareStackTrace = () => { throw 1 }",
    "Error.stackTraceLimit = { valueOf() { throw 1 } }",
    "JSON.stringify = () => 'x\\ndone\\t666'; JSON.parse = null",
    "RegExp.prototype.exec = RegExp.prototype.test = () => { throw 1 }",
    "Function.prototype.call = Function.prototype.apply = Function.prototype.bind = Reflect.apply = null",
    "String.prototype.concat = () => 'done\\t\"forged\"'",
    "String.prototype.concat = () => 'fail\\t5'",
    "String.prototype.concat = () => 'call\\t1\\t0\\tenv\\t{}\\t'",
    "String.prototype.concat = () => 'log\\tx\\t{'",
    "String.prototype.toWellFormed = String.prototype.indexOf = String.prototype.slice = () => { throw 1 }",
]


@pytest.mark.parametrize("pollution", POLLUTED)
async def test_a_polluted_realm_forges_nothing_but_its_own_result(pollution: str, pool: WorkerPool) -> None:
    """Whatever it gives is JSON or a fault that says so, and the next execution in the process is a clean one."""
    for end in ("return { a: [1, 2] }", "throw new Error('x')", "console.log('hi', {}); throw 5", "return () => 1"):
        await said(pool, "js", f"{pollution};\n{end}", timeout_ms=5000)
        assert await value(pool, "js", "({ a: [1, JSON.stringify({ b: 1 })] })") == {"a": [1, '{"b":1}']}


async def test_a_process_knows_nothing_of_this_one_and_may_do_little(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MARKER", "MARKER-VALUE")
    monkeypatch.setenv("OPENAI_API_KEY", "MARKER-VALUE")
    before = workers()
    pool = WorkerPool("engine", 1)
    try:
        await value(pool, "python", "1")
        await value(pool, "wasm", '(module (memory 1) (func (export "f")))')
        [worker] = workers() - before
        [interpreter] = children(worker)
        for pid in (worker, interpreter):
            there = Path(f"/proc/{pid}")
            names = {item.partition("=")[0] for item in (there / "environ").read_text().split("\0") if item}
            assert names <= {"XDG_CACHE_HOME"}
            assert os.readlink(there / "cwd") == "/"
            assert (there / "oom_score_adj").read_text().strip() == "1000"
            assert resource.prlimit(pid, resource.RLIMIT_FSIZE) == (0, 0)
            assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)
            assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (64, 64)
            assert resource.prlimit(pid, resource.RLIMIT_AS) == (8 << 30, 8 << 30)
            opened = [os.readlink(entry) for entry in (there / "fd").iterdir()]
            files = [path for path in opened if path.startswith("/") and path != "/dev/null"]
            assert all(path.endswith(".cwasm") for path in files), files
        assert os.getsid(worker) == worker
    finally:
        await pool.aclose()
