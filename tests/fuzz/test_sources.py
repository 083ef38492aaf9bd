"""Agents that somebody damaged: a bundle, or faults of the source with their places; never a traceback or a crash."""

import contextlib
from pathlib import Path

import pytest
from hypothesis import strategies as st

from chidori_actors.errors import SourceError
from chidori_actors.languages.loading import load_bundle
from chidori_actors.languages.starlark.compile import compile_module
from chidori_actors.settings import RuntimePolicy
from tests.support.examples import ROOT

from .mangling import corpus, examples, fuzz, mangled_bytes, refusal_of

TYPESCRIPT = [path.read_bytes() for path in sorted((ROOT / "agents").glob("*.ts"))]
STARLARK = [
    *(path.read_bytes() for path in sorted((ROOT / "agents").glob("*.star"))),
    b'def agent(items = [1, 2], *rest, **more):\n    return [f"{x!r}: {x + 1}" for x in items if x % 2 not in (1,)]\n',
    b'load("./other.star", a = "b")\nX = {"a": 1.5e3, 2: (lambda x, y=0x1F: x if y else -x)}\ndef agent():\n  pass\n',
]
DEEP = 100_000
NESTED = {
    "parentheses": "(" * DEEP + "1" + ")" * DEEP,
    "brackets": "[" * DEEP + "]" * DEEP,
    "unclosed": "(" * DEEP,
    "minuses": "- " * DEEP + "1",
    "sums": "1" + " + 1" * DEEP,
    "attributes": "a" + ".a" * DEEP,
    "calls": "a" + "()" * DEEP,
    "conditions": "1 if 1 else " * DEEP + "1",
    "ternaries": "1 ? 1 : " * DEEP + "1",
    "negations": "not " * DEEP + "1",
    "exclamations": "!" * DEEP + "1",
    "arrows": "() => " * DEEP + "1",
    "lambdas": "lambda: " * DEEP + "1",
    "templates": "`${" * DEEP + "1" + "}`" * DEEP,
    "types": "1 as " + "A<" * DEEP + "B" + ">" * DEEP,
    "objects": '{"a":' * DEEP + "1" + "}" * DEEP,
    "digits": "9" * DEEP,
    "regular expression": "/" + "(" * DEEP + ")" * DEEP + "/",
    "awaits": "await " * DEEP + "1",
}


@examples
def test_typescript_is_loaded_or_has_a_fault(examples: int, tmp_path: Path) -> None:
    fuzz(
        examples,
        mangled_bytes(TYPESCRIPT) | st.text().map(_bytes),
        lambda data: check_agent(tmp_path, "agent.ts", data),
    )


@examples
def test_starlark_is_loaded_or_has_a_fault(examples: int, tmp_path: Path) -> None:
    fuzz(
        examples,
        mangled_bytes(STARLARK) | st.text().map(_bytes),
        lambda data: check_agent(tmp_path, "agent.star", data),
    )


@examples
def test_any_text_is_starlark_or_has_a_fault(examples: int) -> None:
    words = st.sampled_from(
        [
            *"()[]{}:,.=+-*/%<>\"'\\\n#|&^~@;!$?`",
            "\n    ",
            "\n\t",
            "def f():",
            "for x in y:",
            "lambda ",
            'f"{',
            '"""',
            "if ",
            " else ",
            "return ",
            "load(",
            "a",
            "1",
            "0x",
            "1e",
            "\x0c",
            "\r",
            "\ufeff",
            "�",
            "\x00",
            "é",
            "🐦",
        ]
    )

    def check(text: str) -> None:
        with contextlib.suppress(SourceError):
            compile_module("agent.star", text, tool=None)

    fuzz(examples, st.lists(words, max_size=40).map("".join), check)


def test_sources_that_once_broke_it(tmp_path: Path) -> None:
    for data in corpus("sources"):
        check_agent(tmp_path, "agent.star", data)


@pytest.mark.parametrize("suffix", ["ts", "js", "star"])
@pytest.mark.parametrize(
    "kind", [kind if kind in ("parentheses", "sums") else pytest.param(kind, marks=pytest.mark.slow) for kind in NESTED]
)
def test_code_that_is_nested_very_deep_is_loaded_or_has_a_fault(kind: str, suffix: str, tmp_path: Path) -> None:
    if suffix == "star":
        text = f"def agent(a):\n    return {NESTED[kind]}\n"
    else:
        text = f"export async function agent(a) {{ return {NESTED[kind]}; }}\n"
    check_agent(tmp_path, f"agent.{suffix}", text.encode())


def check_agent(folder: Path, name: str, data: bytes) -> None:
    (folder / "chidori.json").write_text("{}")
    path = folder / name
    path.write_bytes(data)
    fault = refusal_of(SourceError, lambda: load_bundle(path, RuntimePolicy()))
    if fault is not None:
        assert fault.path == name
        assert fault.line is None or 1 <= fault.line <= data.count(b"\n") + data.count(b"\r") + 1
        assert str(fault).encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")
