"""Starlark: loading a file of 500 lines, loops of 100,000 turns beside the reference implementation, start-up."""

import ast
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import starlark as reference

from chidori_actors.languages.bundle import Bundle
from chidori_actors.languages.loading import load_bundle
from chidori_actors.settings import Settings
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Returned

from .core import HELLO, run_seconds
from .measure import Figure, repeat
from .scenery import AGENTS, begun, new_vm, own_process

_LINES = 500
_TURNS = 100_000
_OPERATIONS = (
    *("integers", "arithmetic", "branches", "floats", "large_integers", "function_calls", "lambda_calls", "lists"),
    *("dicts", "comprehensions", "sorting", "string_methods", "splitting", "formatting"),
)
_NO_HOST = "def log(message): pass\ndef http(*args, **named): pass\ndef prompt(*args, **named): pass\n"
"""Stands in for the host functions, which the reference implementation does not have."""


def measure() -> list[Figure]:
    """Every figure of this suite; takes one to two minutes."""
    return [*_loading(), *_loops(), *_start_up()]


# -- a file of 500 lines -----------------------------------------------------------------------------------------------


def long_agent() -> str:
    """The source of an agent of 500 lines: parts that differ in their names only, settings, and its function."""
    part = (AGENTS / "section.star").read_text()
    end = '\ndef agent():\n    log("loaded")\n    return report_0({})\n'
    left = _LINES - end.count("\n")
    parts, settings = divmod(left, part.count("\n"))
    code = "".join(part.replace("_0", f"_{number}") for number in range(parts))
    return (
        code
        + "".join(f'SETTING_{number} = {{"name": "setting", "value": {number}}}\n' for number in range(settings))
        + end
    )


def _loading() -> list[Figure]:
    text = long_agent()
    bundle = _compiled(text)
    first = own_process("from bench import starlark; print(*starlark.first_load_ms())")
    return [
        repeat(f"{_LINES} lines: read and compiled", "ms", lambda: _ms(lambda: _compiled(text)), times=9),
        repeat("  evaluated in a new VM, to the first call", "ms", lambda: _ms(lambda: begun(bundle).close()), times=9),
        repeat("  both", "ms", lambda: _ms(lambda: begun(_compiled(text)).close()), times=9, aim="60"),
        _figure("  both, the first in a process, compiler imported", "ms", first[0]),
        repeat("  of that, Python's own parser", "ms", lambda: _ms(lambda: ast.parse(text)), times=9),
        repeat("  the reference: parsed and evaluated", "ms", lambda: _ms(lambda: _in_reference(text)), times=9),
    ]


def first_load_ms() -> tuple[float]:
    """What loading the long agent takes a process that has its engine and has not compiled Starlark yet."""
    text = long_agent()
    load_engine()
    return (_ms(lambda: begun(_compiled(text)).close()),)


def _compiled(text: str) -> Bundle:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "long.star")
        file.write_text(text)
        return load_bundle(file, Settings().runtime_policy)


def _in_reference(text: str) -> reference.FrozenModule:
    dialect = reference.Dialect.extended()
    module = reference.Module()
    reference.eval(module, reference.parse("agent.star", _NO_HOST + text, dialect), reference.Globals.standard())
    return module.freeze()


# -- loops -------------------------------------------------------------------------------------------------------------


def _loops() -> list[Figure]:
    module = _in_reference((AGENTS / "operations.star").read_text())
    figures: list[Figure] = []
    for operation in _OPERATIONS:
        aim = "200" if operation in ("integers", "arithmetic") else ""
        ours, theirs = zip(*(_turns(operation, module) for _ in range(5)), strict=True)
        figures += [
            _figure(f"{_TURNS:,} turns: {operation.replace('_', ' ')}", "ms", ours, aim),
            _figure("  the reference", "ms", theirs),
        ]
    return figures


def _turns(operation: str, module: reference.FrozenModule) -> tuple[float, float]:
    """Milliseconds of the loop here and in the reference implementation.

    Raises:
        RuntimeError: the results differ, so it is not the same that was measured.
    """
    machine = new_vm("operations", operation=operation, times=_TURNS)
    began = time.perf_counter()
    said = machine.step([(1, b'[1,1,"null"]')])
    between = time.perf_counter()
    expected = module.call(operation, _TURNS)
    ended = time.perf_counter()
    machine.close()
    end = said[-1]
    if not isinstance(end, Returned) or int(end.output) != expected:
        raise RuntimeError(f"{operation} gave {end}, the reference implementation {expected}")
    return (between - began) * 1e3, (ended - between) * 1e3


# -- processes ---------------------------------------------------------------------------------------------------------


def _start_up() -> list[Figure]:
    # In turn, so that what else the machine does hits both.
    pairs = [(run_seconds(AGENTS / "hello.star"), run_seconds(HELLO)) for _ in range(7)]
    return [
        _figure("`chidori run --local hello.star`", "s", tuple(starlark for starlark, _ in pairs)),
        _figure("  `chidori run --local agents/hello.ts` in turn with it", "s", tuple(other for _, other in pairs)),
    ]


def _figure(name: str, unit: str, runs: tuple[float, ...], aim: str = "") -> Figure:
    return Figure(name, unit, statistics.median(runs), runs, aim)


def _ms(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3
