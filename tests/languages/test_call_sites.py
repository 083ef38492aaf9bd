"""A call is shown where it begins, wherever the engine puts it."""

import pytest

from chidori_actors.languages.call_sites import call_start, next_use

NAMES = ("prompt", "log", "http")


def place(code: str, mark: str) -> tuple[int, int]:
    before = code[: code.index(mark)]
    return before.count("\n") + 1, len(before) - before.rfind("\n")


@pytest.mark.parametrize(
    ("code", "engine", "call"),
    [
        ('await chidori.prompt("a" + b, { maxTokens: 3 });', "{ max", "chidori"),
        ('await chidori.prompt(\n  "a",\n  { b: [1, (2)] },\n);', "{ b", "chidori"),
        ('f(x, chidori.log("a", { b: g(1) }), y);', "g(1)", "chidori"),
        ('chidori.log("a");', "(", "chidori"),
        ("const { http } = chidori; http(url)", "url", "http(url"),
        ("const r = await runtime.api.http(u, { body: a(1)[2] })", "a(1)", "runtime"),
        ("const n = sum(1, 2);", "2", "2"),
    ],
)
def test_finds_where_the_call_begins(code: str, engine: str, call: str) -> None:
    assert call_start(code, *place(code, engine), NAMES) == place(code, call)


@pytest.mark.parametrize(
    ("code", "engine", "name", "as_property", "fault"),
    [
        ('const o = parse("{}");\nreturn o.x.y;', "parse", "y", True, "y;"),
        ("f(1); const y = 1; return a?.y + y;", "f(", "y", True, "y + y"),
        ("f(1);\nreturn o.missing + missing;", "f(", "missing", False, "missing;"),
        ("f(1); return 2;", "f(", "y", True, "f("),
    ],
)
def test_finds_the_name_that_an_error_is_about(
    code: str, engine: str, name: str, as_property: bool, fault: str
) -> None:
    assert next_use(code, *place(code, engine), name, as_property=as_property) == place(code, fault)
