"""Runs plain JavaScript in our VM, prelude and all, as an agent that makes no host call of its own."""

import json
from typing import Any

import orjson

from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.machine import Bounds, Call, Machine, Printed, Returned, Said, Threw

COMPLETION = "JSON.stringify({value: globalThis.result === undefined ? globalThis.__completion : globalThis.result})"
"""An asynchronous program assigns ``globalThis.result``; of others the last expression counts."""

_ENTRY = "program.js"
# The timer, which is answered at once, lets every job of the program run before its result is read.
_AGENT = f"""
export async function agent(source) {{
  const later = setTimeout; // the program may replace it
  (0, eval)(source);
  await new Promise((resolve) => later(resolve, 0));
  return (0, eval)({json.dumps(COMPLETION)});
}}
"""
_CONFIG = {"entry": _ENTRY, "exported": "agent", "random": [1, 2, 3, 4], "date": "fixed", "maps_sets": "serialize"}


class JavaScriptError(Exception):
    """The script threw; the message is the error's."""


class _Program:
    def resolve(self, base: str, specifier: str) -> str | None:
        return specifier

    def code(self, name: str) -> str | None:
        return _AGENT


def as_completion(source: str) -> str:
    """A script that keeps the value of ``source``'s last expression for ``COMPLETION``."""
    return f"globalThis.__completion = (0, eval)({json.dumps(source)}); undefined"


def run_javascript(source: str) -> Any:
    """The JSON-compatible value of the last expression of ``source``, all its jobs done.

    ``undefined`` is None. Raises ``JavaScriptError`` for what the script throws.
    """
    return run_with_console(source)[0]


def printed_by(source: str) -> list[list[str]]:
    """What ``source`` writes to the console: ``[level, text]`` each."""
    return run_with_console(source)[1]


def run_with_console(source: str) -> tuple[Any, list[list[str]]]:
    """Both: the value of ``source`` and what it writes to the console."""
    machine = Machine(load_engine(), Bounds(step_seconds=30))
    heard: list[Said] = []
    try:
        said = machine.begin(_CONFIG, orjson.dumps(as_completion(source)), _Program(), 0, 30)
        while True:
            heard += said
            for item in said:
                if isinstance(item, Threw):
                    raise JavaScriptError(f"{item.name}: {item.message}")
                if isinstance(item, Returned):
                    printed = [[line.level, line.text] for line in heard if isinstance(line, Printed)]
                    return json.loads(orjson.loads(item.output)).get("value"), printed
            timers = [item.ordinal for item in said if isinstance(item, Call)]
            if not timers:
                raise JavaScriptError("the program waits for something that nobody settles")
            said = machine.step([(0, b"[%d,1,null]" % ordinal) for ordinal in timers])
    finally:
        machine.close()
