"""Integers of any size as JSON, and everything else as orjson has it."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chidori_actors import exact_json
from chidori_actors.json_schema import ArgumentsSchema

_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.integers(10**17, 10**25) | st.text() | st.floats(allow_nan=False)
)
_VALUES = st.recursive(
    _SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(_VALUES)
def test_values_come_back_as_they_were(value: Any) -> None:
    read = exact_json.loads(exact_json.dumps(value))
    assert repr(read) == repr(value)


@pytest.mark.parametrize(
    "text",
    ["18446744073709551616", f"-{2**3000}", f'{{"a":[{2**70},1.0,-0.0,1e+22]}}', '["\\u0000",123456789012345678901]'],
)
def test_texts_come_back_as_they_were(text: str) -> None:
    assert exact_json.dumps(exact_json.loads(text)).decode() == text
    assert exact_json.loads(text.encode()) == exact_json.loads(text)


def test_options_are_those_of_orjson() -> None:
    value = {"b": 2**70, "a": orjson.Fragment(b"1")}
    written = exact_json.dumps(value, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
    assert written == b'{\n  "a": 1,\n  "b": 1180591620717411303424\n}'


_LONG = "1234567890123456789012345"


@pytest.mark.parametrize(
    "text",
    [
        f'[{_LONG}, "\\ud83d"]',
        f"[{_LONG}, 1e400]",
        f"[{_LONG}, NaN]",
        f"[{_LONG}",
        f"\ufeff[{_LONG}]",
        "1" * 5000,
        "[" * 3000 + _LONG + "]" * 3000,
    ],
)
def test_what_is_no_json_is_refused_beside_long_integers_too(text: str) -> None:
    with pytest.raises(orjson.JSONDecodeError):
        exact_json.loads(text)


@pytest.mark.parametrize(
    "value", [object(), "\ud83d", [2**70, "\ud83d"], [2**70, object()], pytest.param(10**5000, id="digits")]
)
def test_what_json_cannot_carry_is_refused(value: Any) -> None:
    with pytest.raises(orjson.JSONEncodeError):
        exact_json.dumps(value)


def test_a_schema_with_fractions_takes_long_integers() -> None:
    schema = ArgumentsSchema({"type": "object", "properties": {"a": {"multipleOf": 0.5}}})
    assert schema.faults({"a": 2**70}) == []
    assert schema.faults({"a": 10**400}) == ["an integer is too large to be compared with a fraction"]
