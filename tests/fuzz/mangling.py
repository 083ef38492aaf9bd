"""Documents that somebody damaged: strategies that begin with a valid one and spoil it."""

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

CORPUS = Path(__file__).parent / "corpus"

Example = TypeVar("Example")
Refusal = TypeVar("Refusal", bound=Exception)

JUNK = (
    *("null", "true", "false", "0", "-1", "1.5", "1e400", "-1e400", "NaN", "Infinity", "1e-400", "9007199254740993"),
    *("18446744073709551616", "-9223372036854775809", "9" * 400, "9" * 5000, '""', '"x"', '"\\ud800"', '"\\u0000"'),
    *(
        '"\\udc00\\ud800"',
        '"🐦"',
        '"\x7f"',
        '"../x"',
        '"' + "a" * 600 + '"',
        "[]",
        "{}",
        "[[]]",
        '{"":null}',
        '[null,""]',
    ),
    *("[" * 90 + "]" * 90, "[" * 300 + "]" * 300, '{"a":' * 200 + "1" + "}" * 200, "[" * 980 + "]" * 980),
    *("[" * 5000 + "]" * 5000, "[" * 100_000, '{"a":1,"a":2}', '{"__proto__":1}', "tru", "'x'", "0x10", "01", "[1,]"),
)
"""Values, most of them JSON, to stand where another is expected."""

_BYTES = (
    *(b"\x00", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\r\n", b"\n\n", b'"', b"\\", b"{", b"%00", b"\xef\xbb\xbf"),
    *(b"[" * 2000, b"9" * 5000),
)

examples = pytest.mark.parametrize(
    "examples", [pytest.param(60, id="short"), pytest.param(1500, id="long", marks=pytest.mark.slow)]
)
"""How many examples a test tries: few in `make test`, many in the slow tests."""


def fuzz(examples: int, strategy: st.SearchStrategy[Example], check: Callable[[Example], None]) -> None:
    """Call ``check`` with ``examples`` examples; it raises for one that found something."""
    # Explaining what was found takes longer than finding it.
    phases = (Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink)
    run = given(strategy)(check)
    settings(max_examples=examples, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))(run)()


def refusal_of(kind: type[Refusal], work: Callable[[], object]) -> Refusal | None:
    """The error of that kind that ``work`` raises, None when it raises none; every other one is passed on."""
    try:
        work()
    except kind as error:
        return error
    return None


def corpus(target: str) -> list[bytes]:
    """The inputs that once found something in ``target``."""
    found = [path.read_bytes() for path in sorted((CORPUS / target).iterdir())]
    assert found
    return found


@st.composite
def mangled_bytes(draw: st.DrawFn, valid: Sequence[bytes]) -> bytes:
    """One of the ``valid`` texts with some of its bytes flipped, cut off, left out, repeated or joined by others."""
    data = draw(st.sampled_from(valid))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data)))
        end = min(len(data), at + draw(st.integers(0, 40)))
        match draw(st.integers(0, 6)):
            case 0 if at < len(data):
                data = data[:at] + bytes([data[at] ^ 1 << draw(st.integers(0, 7))]) + data[at + 1 :]
            case 1:
                data = data[:at]
            case 2:
                data = data[:at] + data[end:]
            case 3:
                data = data[:end] + data[at:]
            case 4:
                data = data[:at] + draw(st.binary(max_size=8)) + data[end:]
            case 5:
                data = data[:at] + draw(st.sampled_from(_BYTES)) + data[at:]
            case _:
                data = data[:at] + draw(st.sampled_from(valid))[at:]
    return data


@st.composite
def mangled_json(draw: st.DrawFn, valid: Sequence[Any]) -> bytes:
    """The text of one of the ``valid`` documents with some values replaced by ``JUNK``, left out, exchanged, nested or
    given twice."""
    document = json.loads(json.dumps(draw(st.sampled_from(valid))))
    raw: list[str] = []
    for _ in range(draw(st.integers(1, 3))):
        places = list(_places(document))
        if not places:
            break
        parent, key = draw(st.sampled_from(places))
        match draw(st.integers(0, 5)):
            case 0:
                del parent[key]
            case 1:
                other, name = draw(st.sampled_from(places))
                parent[key] = json.loads(json.dumps(other[name]))
            case 2 if isinstance(parent, dict):
                # The same key again, behind the first.
                raw.append(f"{json.dumps(parent[key])},{json.dumps(key)}:{draw(st.sampled_from(JUNK))}")
                parent[key] = _placeholder(len(raw) - 1)
            case 3 if isinstance(parent, dict):
                parent[draw(st.sampled_from(("", "x", "\ud800", "\0", key.upper(), key + " ")))] = parent.pop(key)
            case 4:
                parent[key] = draw(st.text(max_size=6) | st.integers() | st.floats(allow_nan=False))
            case _:
                raw.append(draw(st.sampled_from(JUNK)))
                parent[key] = _placeholder(len(raw) - 1)
    text = json.dumps(document)
    for number, junk in reversed(list(enumerate(raw))):
        text = text.replace(json.dumps(_placeholder(number)), junk)
    return text.encode("utf-8", "surrogatepass")


def mangled(valid: Sequence[Any]) -> st.SearchStrategy[bytes]:
    """JSON documents, mangled as values or as bytes."""
    return mangled_json(valid) | mangled_bytes([json.dumps(each).encode() for each in valid])


def _placeholder(number: int) -> str:
    return f"@@raw {number}@@"


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _places(item)
