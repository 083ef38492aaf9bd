"""What goes between the pool and its workers: u32 length (little-endian), a line of JSON, and any bytes after it."""

import struct
from dataclasses import asdict
from typing import Any

from .. import exact_json
from .execution import Execution, Outcome, SandboxFault

LENGTH = struct.Struct("<I")
READY = LENGTH.pack(0)
"""The first thing that a worker says, unless it cannot be used: then it replies with the fault."""
_REPLY_FIELDS = {"message": str, "printed": str, "bound": str, "thrown": str, "line": int, "column": int}


def request_frame(execution: Execution) -> bytes:
    """An execution, to be read by ``read_request``."""
    fields = asdict(execution)
    return _frame(fields, fields.pop("input"))


def read_request(payload: bytes) -> Execution:
    """The execution of a frame without its length."""
    head, _, body = payload.partition(b"\n")
    return Execution(**exact_json.loads(head), input=body)


def reply_frame(result: Outcome | SandboxFault) -> bytes:
    """What came of an execution, to be read by ``read_reply``."""
    if isinstance(result, Outcome):
        return _frame({"printed": result.printed}, result.value)
    return _frame({"message": str(result), "printed": result.printed, **result.fields()}, b"")


def read_reply(payload: bytes) -> Outcome:
    """The outcome of a frame without its length.

    Raises:
        SandboxFault: the execution failed.
        ValueError: it is not a reply.
    """
    head, _, body = payload.partition(b"\n")
    fields = exact_json.loads(head)
    # Whoever took over a worker says what it likes, and this goes into records.
    if not isinstance(fields, dict) or "printed" not in fields:
        raise ValueError("a reply without what was printed")
    if unknown := [name for name, value in fields.items() if not isinstance(value, _REPLY_FIELDS.get(name, ()))]:
        raise ValueError(f"a reply with another {unknown[0]!r}")
    if "message" in fields:
        raise SandboxFault(**fields)
    exact_json.loads(body)  # it goes into records as it is
    return Outcome(body, fields["printed"])


def _frame(fields: dict[str, Any], body: bytes) -> bytes:
    head = exact_json.dumps(fields)
    return b"".join((LENGTH.pack(len(head) + 1 + len(body)), head, b"\n", body))
