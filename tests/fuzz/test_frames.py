"""Frames between the pool and its workers, damaged: untrusted code may have taken over the worker that replies."""

from typing import Any

import pytest
from hypothesis import strategies as st

from chidori_actors import exact_json
from chidori_actors.sandbox.execution import Execution, Outcome, SandboxFault
from chidori_actors.sandbox.frames import LENGTH, read_reply, read_request, reply_frame, request_frame

from .mangling import examples, fuzz, mangled, mangled_bytes

OUTCOMES = (
    Outcome(b'{"a":[1,2.5,null,"Gr\xc3\xbc\xc3\x9fe"],"b":18446744073709551617}', "hi\n"),
    Outcome(b"null"),
)
FAULTS = (
    SandboxFault("1 / 0 (line 2)", thrown="ZeroDivisionError", line=2, column=1, printed="before\n"),
    SandboxFault("the source ran for more than 50 ms (timeoutMs)", bound="timeoutMs"),
)
EXECUTIONS = (
    Execution("js", "input + 1\n", b'{"x":1}', 10_000, 1_700_000_000_000, "seed", {"memory_mb": 64}),
    Execution(
        *("wasm", "(module)", b"null", 1, 0, ""),
        {"function": "f", "args": [1, "9223372036854775807"], "memory_pages": 256, "fuel": 10**9},
    ),
)


def _payload(frame: bytes) -> bytes:
    (size,) = LENGTH.unpack(frame[: LENGTH.size])
    payload = frame[LENGTH.size :]
    assert len(payload) == size
    return payload


REPLIES = [_payload(reply_frame(result)) for result in (*OUTCOMES, *FAULTS)]
REQUESTS = [_payload(request_frame(execution)) for execution in EXECUTIONS]


def _spoilt(payloads: list[bytes]) -> st.SearchStrategy[bytes]:
    """Spoilt as bytes, or as the JSON of their heads, the bodies as they were."""
    parts = [payload.partition(b"\n") for payload in payloads]
    heads = mangled([exact_json.loads(head) for head, _, _ in parts])
    bodies = st.sampled_from([body for _, _, body in parts]) | mangled_bytes([body for _, _, body in parts])
    return mangled_bytes(payloads) | st.tuples(heads, bodies).map(b"\n".join)


def test_what_is_written_is_read_as_it_was() -> None:
    assert tuple(read_reply(payload) for payload in REPLIES[: len(OUTCOMES)]) == OUTCOMES
    for payload, fault in zip(REPLIES[len(OUTCOMES) :], FAULTS, strict=True):
        with pytest.raises(SandboxFault) as caught:
            read_reply(payload)
        assert _told(caught.value) == _told(fault)
    assert tuple(map(read_request, REQUESTS)) == EXECUTIONS


def _told(fault: SandboxFault) -> tuple[str, dict[str, Any], str]:
    return str(fault), fault.fields(), fault.printed


@examples
def test_a_reply_is_an_outcome_a_fault_or_no_reply(examples: int) -> None:
    fuzz(examples, _spoilt(REPLIES), check_reply)


def check_reply(payload: bytes) -> None:
    seen: Outcome | SandboxFault
    try:
        seen = read_reply(payload)
    except SandboxFault as fault:
        seen = fault
    except ValueError:
        return
    assert isinstance(seen.printed, str)
    # It goes into the record.
    exact_json.dumps(_told(seen) if isinstance(seen, SandboxFault) else seen.printed)
    if isinstance(seen, Outcome):
        exact_json.loads(seen.value)


@pytest.mark.parametrize(
    "payload",
    [
        *(b"", b"\n", b"5\n1", b"null\n1", b"[]\n1", b'"message"\n1', b'["message"]\n1', b"{}\n1", b'{"printed":""}\n'),
        *(b'{"printed":null}\n1', b'{"printed":5}\n1', b'{"printed":""}\nNaN', b'{"printed":""}\n1 2'),
        *(b'{"message":"x","printed":[]}\n', b'{"message":"x","printed":"","self":1}\n', b'{"message":"x"}\n'),
    ],
)
def test_what_is_no_reply_is_a_value_error(payload: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_reply(payload)


@examples
def test_a_request_is_an_execution_or_refused(examples: int) -> None:
    fuzz(examples, _spoilt(REQUESTS), check_request)


def check_request(payload: bytes) -> None:
    try:
        execution = read_request(payload)
    except (ValueError, TypeError):
        return
    _, _, body = payload.partition(b"\n")
    assert execution.input == body
