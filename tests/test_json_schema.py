"""JSON Schemas of tools, and arguments, that were made to hold the process up or to read what is not theirs."""

import subprocess
import sys
from functools import reduce
from typing import Any

import pytest

from chidori_actors.json_schema import ArgumentsSchema, UnusableSchema, schema_fault

EVIL = "^(a+)+$"
TEXT = "a" * 40 + "!"
DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def of_a(schema: Any, **more: Any) -> dict[str, Any]:
    return {"type": "object", "properties": {"a": schema}, **more}


def faults(schema: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    return ArgumentsSchema(schema).faults(arguments)


def unusable(schema: dict[str, Any], arguments: dict[str, Any]) -> str:
    with pytest.raises(UnusableSchema) as caught:
        faults(schema, arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    ("schema", "arguments"),
    [
        (of_a({"pattern": EVIL}), {"a": TEXT}),
        (of_a({"items": {"pattern": EVIL}}), {"a": [TEXT, TEXT + "!"]}),
        ({"propertyNames": {"pattern": EVIL}}, {TEXT: 1}),
        ({"patternProperties": {EVIL: {}}}, {TEXT: 1}),
        ({"patternProperties": {EVIL: {}}, "additionalProperties": False}, {TEXT: 1}),
        ({"patternProperties": {EVIL: {}}, "unevaluatedProperties": False}, {TEXT: 1}),
        ({"allOf": [{"patternProperties": {EVIL: {}}}], "unevaluatedProperties": False}, {TEXT: 1}),
        ({"$schema": DRAFT_2019, "unevaluatedProperties": False, "patternProperties": {EVIL: {}}}, {TEXT: 1}),
        # A schema within that names its draft is not the library's own to check.
        (of_a({"$schema": DRAFT_2020, "pattern": EVIL}), {"a": TEXT}),
        ({"$schema": DRAFT_7, "properties": {"a": {"$ref": "#"}, "b": {"pattern": EVIL}}}, {"a": {"b": TEXT}}),
        (of_a({"$ref": "#/x"}, x={"$schema": DRAFT_7, "pattern": EVIL}), {"a": TEXT}),
    ],
)
def test_a_pattern_that_never_ends_is_a_fault_of_the_arguments(
    schema: dict[str, Any], arguments: dict[str, Any]
) -> None:
    assert faults(schema, arguments) == ['they took too long to match the pattern "^(a+)+$"']


def test_of_many_patterns_the_first_are_told() -> None:
    schema = {"allOf": [of_a({"pattern": pattern}) for pattern in (EVIL, "b", "c", "d" * 500, "e")]}
    assert faults(schema, {"a": TEXT}) == [
        'they took too long to match one of the patterns "^(a+)+$", "b", "c", …',
    ]


@pytest.mark.parametrize(
    ("pattern", "text", "matches"),
    [
        ("^[a-z]+$", "abc", True),
        ("b", "abc", True),
        ("^b", "abc", False),
        ("^a$", "a\n", False),
        (r"^\d$", "٣", False),
        (r"^\p{L}$", "é", True),
        ("^.$", "😀", True),
        ("^.$", "\ud83d", True),
        (r"^a\-b\@c$", "a-b@c", True),
        (r"^\$\{x\}$", "${x}", True),
    ],
)
def test_patterns_are_those_of_ecmascript(pattern: str, text: str, matches: bool) -> None:
    assert (faults(of_a({"pattern": pattern}), {"a": text}) == []) == matches


@pytest.mark.parametrize("pattern", ["(", "(?P<name>a)", r"a\Z", r"\Aa", "(?<!", "[b-a]"])
def test_a_pattern_that_is_none_makes_a_schema_unusable(pattern: str) -> None:
    told = schema_fault(of_a({"pattern": pattern}))
    assert told is not None
    assert "is no regular expression of ECMAScript" in told
    assert schema_fault({"patternProperties": {pattern: {}}}) == told
    assert unusable(of_a({"$ref": "#/x"}, x={"pattern": pattern}), {"a": "a"}) == told


def test_alternatives_are_chosen_by_what_patterns_really_match() -> None:
    either = {"anyOf": [{"pattern": "^a"}, {"pattern": "^b"}], "not": {"pattern": "z$"}}
    schema = of_a({"items": either, "contains": {"pattern": "^a"}})
    assert faults(schema, {"a": ["ab", "ba"]}) == []
    assert [fault.partition(":")[0] for fault in faults(schema, {"a": ["ab", "cb", "az", "bz"]})] == [
        "`a[1]`",
        "`a[2]`",
        "`a[3]`",
    ]
    chosen = of_a({"if": {"pattern": "^x"}, "then": {"minLength": 5}, "else": {"pattern": "^y"}})
    assert faults(chosen, {"a": "ya"}) == []
    assert faults(chosen, {"a": "xa"}) == ['`a`: "xa" is too short']
    assert faults(chosen, {"a": "za"}) == ['`a`: "za" does not match "^y"']


def test_properties_are_sorted_by_pattern() -> None:
    schema = {
        "properties": {"id": {}},
        "patternProperties": {"^n_": {"type": "integer"}},
        "additionalProperties": False,
    }
    assert faults(schema, {"id": 1, "n_a": 1}) == []
    assert faults(schema, {"n_a": "x", "other": 1}) == [
        '"other" does not match any of the regexes: "^n_"',
        '`n_a`: "x" is not of type "integer"',
    ]
    others = {"patternProperties": {"^n_": {}}, "additionalProperties": {"type": "string"}}
    assert faults(others, {"n_a": 1, "b": "x"}) == []
    assert faults(others, {"b": 1}) == ['`b`: 1 is not of type "string"']


@pytest.mark.parametrize("draft", [DRAFT_2019, DRAFT_2020])
def test_properties_that_nothing_looked_at_are_refused(draft: str) -> None:
    schema = {
        "$schema": draft,
        "properties": {"a": {}},
        "allOf": [{"$ref": "#/$defs/b"}, {"patternProperties": {"^n_": {}}}],
        "anyOf": [{"properties": {"c": {"type": "string"}}, "required": ["c"]}, True],
        "if": {"properties": {"d": {"const": 1}}, "required": ["d"]},
        "then": {"properties": {"e": {}}},
        "else": {"properties": {"f": {}}},
        "dependentSchemas": {"a": {"properties": {"g": {}}}},
        "$defs": {"b": {"properties": {"b": {}}}},
        "unevaluatedProperties": False,
    }
    assert faults(schema, {"a": 1, "b": 1, "n_x": 1, "c": "x", "d": 1, "e": 1, "g": 1}) == []
    assert faults(schema, {"b": 1, "f": 1}) == []
    assert faults(schema, {"c": 1, "d": 1, "f": 1, "g": 1}) == [
        'Unevaluated properties are not allowed ("c", "f", "g" were unexpected)'
    ]
    assert faults(schema | {"unevaluatedProperties": {"type": "string"}}, {"y": "x", "z": 1}) == [
        '`z`: 1 is not of type "string"'
    ]


def test_items_that_nothing_looked_at_are_refused() -> None:
    schema = of_a({"allOf": [{"prefixItems": [{}, {}]}], "contains": {"const": "x"}, "unevaluatedItems": False})
    assert faults(schema, {"a": [1, 2, "x"]}) == []
    assert faults(schema, {"a": [1, 2, "x", 3]}) == ["`a`: Unevaluated items are not allowed (3 was unexpected)"]
    assert faults(of_a({"items": {"type": "integer"}, "unevaluatedItems": False}), {"a": [1, 2]}) == []
    tuples = of_a({"items": [{}], "unevaluatedItems": {"type": "string"}}, **{"$schema": DRAFT_2019})
    assert faults(tuples, {"a": [1, "x", 2]}) == ['`a[2]`: 2 is not of type "string"']


@pytest.mark.parametrize(
    ("items", "unique"),
    [
        ([1, 2], True),
        ([1, True, "1", None, [1], {"a": 1}], True),
        ([1, 1.0], False),
        ([{"a": 1, "b": 2}, {"b": 2, "a": 1.0}], False),
        ([0, False], True),
        ([2**61 - 1, 0, 2**62 - 2], True),
        ([*range(50_000)], True),
        ([*([index] for index in range(50_000)), [7]], False),
    ],
)
def test_unique_items_are_told_apart_as_json(items: list[Any], unique: bool) -> None:
    assert (faults(of_a({"uniqueItems": True}), {"a": items}) == []) == unique


def test_large_arrays_are_taken() -> None:
    assert faults(of_a({"items": {"type": "integer"}, "unevaluatedItems": False}), {"a": [*range(20_000)]}) == []
    named = {f"n_{index}": index for index in range(10_000)}
    assert faults({"patternProperties": {"^n_": {}}, "unevaluatedProperties": False}, named) == []
    assert faults(of_a({"items": {"pattern": "^n_"}}), {"a": list(named)}) == []


def test_a_schema_that_doubles_the_work_at_every_step_is_stopped() -> None:
    steps: dict[str, Any] = {f"d{step}": {"anyOf": [{"$ref": f"#/$defs/d{step + 1}"}] * 2} for step in range(60)}
    schema = of_a({"$ref": "#/$defs/d0"}, **{"$defs": steps | {"d60": {"type": "integer"}}})
    slow = ["checking them took more than 1 s: they are too large for this schema"]
    assert faults(schema, {"a": "x"}) == slow
    assert faults(schema | {"$schema": DRAFT_2020}, {"a": "x"}) == slow
    looked = {"$ref": "#/$defs/d0", "unevaluatedProperties": False, "$defs": steps | {"d60": {}}}
    assert faults(looked, {"a": "x"}) == slow


def test_many_large_faults_are_not_all_put_into_words() -> None:
    schema = of_a({"allOf": [{"type": "integer"}] * 50})
    told = faults(schema, {"a": "'\"" * 100_000})
    assert len(told) == 6
    assert told[-1] == "and 45 more"


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize("target", ["file:///etc/passwd", "http://127.0.0.1:9/x", "http://[", "/etc/passwd", "#/no"])
def test_no_reference_leads_out_of_the_schema(keyword: str, target: str) -> None:
    told = unusable(of_a({keyword: target}), {"a": 1})
    assert target in told
    assert "root:" not in told


@pytest.mark.parametrize(
    "schema",
    [
        of_a({"$ref": "#/x"}, x=5),
        of_a({"$ref": "#/x"}, x={"minimum": "x"}),
        of_a({"$ref": "#/x"}, x={"type": "nothing"}),
        of_a({"$ref": "#/x"}, x={"type": "nothing", "const": 2}),
        of_a({"$ref": "#/x"}, x={"multipleOf": 0}),
        of_a({"$ref": "#/x"}, x={"enum": 7}),
        of_a({"$ref": "#/x/y"}, x=[1]),
        of_a({"$ref": 5}, **{"$schema": "http://json-schema.org/draft-04/schema#"}),
        {"$id": 5},
        {"$ref": "#"},
        {"anyOf": [{"$ref": "#"}], "unevaluatedProperties": False},
        {"properties": {f"p{index}": {"type": "string"} for index in range(20_000)}},
        reduce(lambda inner, _: of_a(inner), range(300), of_a({})),
    ],
)
def test_a_malformed_schema_is_unusable_and_no_crash(schema: dict[str, Any]) -> None:
    told = unusable(schema, {"a": 1})
    assert len(told) < 300
    assert "object" not in told
    assert "invalid literal" not in told


def test_a_schema_without_patterns_needs_no_engine() -> None:
    code = (
        "import sys; from chidori_actors.json_schema import ArgumentsSchema\n"
        "schema = ArgumentsSchema({'$id': 'urn:x', 'properties': {'a': {'type': 'string'}}, 'uniqueItems': True})\n"
        "assert schema.faults({'a': 1})\n"
        "assert not any('wasmtime' in name or name.startswith('chidori_actors.vm') for name in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
