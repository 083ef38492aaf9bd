"""A call is shown where it begins, wherever the engine puts it."""

import pytest

from chidori_actors.languages.call_sites import call_start

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
