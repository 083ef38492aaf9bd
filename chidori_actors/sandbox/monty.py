"""Python that nobody trusts, by Monty: an interpreter written for that, in worker processes of its own."""

import re
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import orjson
import pydantic_monty

from .. import exact_json
from .execution import MOST_OUTPUT_BYTES, Execution, Outcome, SandboxFault, out_of_memory, overran, too_much_output
from .guest import Unfit, json_value
from .python_faults import python_fault

_FILE = "source.py"
_WAY_OUT = '; Monty is not all of Python, and runtime "cpython" may have it'
_GRACE_SECONDS = 0.1
"""A single long operation does not look at the clock: its process is ended so much after its time."""
_MEMORY = re.compile("memory limit exceeded|exceeded its memory limit")


class _Printed:
    """What a program prints, as far as it may be given back."""

    def __init__(self) -> None:
        self.text = ""
        self.overflowed = False

    def take(self, stream: str, text: str) -> None:
        if len(self.text) + len(text) > MOST_OUTPUT_BYTES:
            self.overflowed = True  # what is raised in here would not end the program
        else:
            self.text += text


class Monty:
    """Runs programs that have ``input``; the interpreter's own process is started at the first one."""

    def __init__(self) -> None:
        self._life = ExitStack()
        self._pool: pydantic_monty.Monty | None = None

    def execute(self, execution: Execution) -> Outcome:
        """The value of ``result``, or of the last expression.

        Raises:
            SandboxFault: the source raised, went beyond a bound, or has no value that JSON can carry.
        """
        memory_mb: int = execution.options["memory_mb"]
        printed = _Printed()
        try:
            value = self._value(execution, memory_mb, printed)
            if printed.overflowed:
                raise too_much_output("what it printed")
            return Outcome(_json(value), printed.text)
        except pydantic_monty.MontyCrashedError as crashed:
            if crashed.timed_out:
                raise overran(execution.timeout_ms) from None
            raise SandboxFault("the interpreter's process ended unexpectedly") from None
        except pydantic_monty.MontySyntaxError as error:
            raise _fault(error, "SyntaxError", printed.text) from None
        except pydantic_monty.MontyRuntimeError as error:
            raise _exceeded(error, execution, memory_mb) or _thrown(error, printed.text) from None
        except (Unfit, pydantic_monty.MontyConversionError) as error:
            raise SandboxFault(str(error), printed=printed.text) from None

    def _value(self, execution: Execution, memory_mb: int, printed: _Printed) -> Any:
        if self._pool is None:
            pool = pydantic_monty.Monty(min_processes=1, max_processes=1, feed_duration_limit_grace=_GRACE_SECONDS)
            self._pool = self._life.enter_context(pool)
        session = self._pool.checkout(
            script_name=_FILE,
            limits={"max_feed_duration_secs": execution.timeout_ms / 1000, "max_memory": memory_mb << 20},
            os_policy={
                "datetime": datetime.fromtimestamp(execution.now_ms / 1000, UTC),
                "sleep": "zero",
                "random_start": {"seed": execution.seed},
            },
        )
        with session as opened:
            given = exact_json.loads(execution.input)
            last = opened.feed_run(execution.source, inputs={"input": given}, print_callback=printed.take)
            try:
                return opened.feed_run("result")
            except pydantic_monty.MontyRuntimeError as error:
                if isinstance(error.exception(), NameError):
                    return last
                raise


def _json(value: Any) -> bytes:
    try:
        return exact_json.dumps(json_value(value))
    except (ValueError, orjson.JSONEncodeError):
        # Of what `json_value` gives, only such an integer cannot be written: Python takes too long for it.
        raise Unfit("the result has an integer of more than 4,300 digits, which cannot be carried") from None


def _exceeded(error: pydantic_monty.MontyRuntimeError, execution: Execution, memory_mb: int) -> SandboxFault | None:
    text, thrown = str(error), error.exception()
    if isinstance(thrown, TimeoutError) and "time limit exceeded" in text:
        return overran(execution.timeout_ms)
    return out_of_memory(memory_mb) if isinstance(thrown, MemoryError) and _MEMORY.search(text) else None


def _thrown(error: pydantic_monty.MontyRuntimeError, printed: str) -> SandboxFault:
    thrown = type(error.exception()).__name__
    lacking = thrown == "ModuleNotFoundError" or "Internal error in monty" in str(error)
    return _fault(error, thrown, printed, way_out=_WAY_OUT if lacking else "")


def _fault(
    error: pydantic_monty.MontyRuntimeError | pydantic_monty.MontySyntaxError,
    thrown: str,
    printed: str,
    way_out: str = "",
) -> SandboxFault:
    frames = [frame for frame in error.traceback() if frame.line > 0]
    line, column = (frames[-1].line, frames[-1].column) if frames else (None, None)
    return python_fault(error.display("msg") + way_out, printed=printed, thrown=thrown, line=line, column=column)
