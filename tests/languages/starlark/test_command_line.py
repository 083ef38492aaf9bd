"""Faults of a Starlark agent as the console command tells them."""

import json
from pathlib import Path

import pytest

from tests.cli.console import assert_refused, chidori, run_id_of

_LOOP = "def agent():\n  while True: pass\n"


@pytest.mark.parametrize(
    ("arguments", "code"), [(("check",), 2), (("run", "--local"), 1), (("serve", "--port", "0"), 1)]
)
def test_every_command_tells_the_place_and_what_to_write(tmp_path: Path, arguments: tuple[str, ...], code: int) -> None:
    (tmp_path / "a.star").write_text(_LOOP)
    result = chidori(tmp_path, arguments[0], "a.star", *arguments[1:])
    assert_refused(result, code, "Error: a.star:2:3: `while` is not part of Starlark", "\n  write a loop with an end")


def test_a_server_is_not_started_without_an_agent(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("agent = 5\n")
    assert_refused(chidori(tmp_path, "serve", "a.star", "--port", "0"), 1, "a.star: the file has no function agent")
    assert_refused(chidori(tmp_path, "serve", "none.star", "--port", "0"), 2, "there is no file none.star")


def test_a_failed_run_shows_the_line_and_how_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text('load("./lib.star", "half")\ndef agent(n): return half(n)\n')
    (tmp_path / "lib.star").write_text("def half(n):\n  return n / 0\n")
    result = chidori(tmp_path, "run", "a.star", "-i", "n=1")
    assert_refused(result, 1, "lib.star:2:10: StarlarkError: ", "\n  return n / 0\n", "chidori resume a.star")


def test_verbose_shows_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text('def agent(): print("x is", 1)\n')
    assert "print: x is 1" in chidori(tmp_path, "run", "a.star", "--verbose").stderr.splitlines()


def test_runs_from_any_folder_of_a_project_find_the_same_files(tmp_path: Path) -> None:
    for folder in (".git", "lib", "agents"):
        (tmp_path / folder).mkdir()
    (tmp_path / "lib" / "l.star").write_text("X = 1\n")
    (tmp_path / "agents" / "a.star").write_text('load("../lib/l.star", "X")\ndef agent(): return X\n')
    first = chidori(tmp_path / "agents", "run", "a.star")
    again = [
        chidori(tmp_path / "agents", "run", "a.star"),
        chidori(tmp_path / "agents", "resume", "a.star", run_id_of(first)),
        chidori(tmp_path, "run", "agents/a.star"),
    ]
    assert [(result.returncode, result.stdout) for result in (first, *again)] == [(0, "1\n")] * 4


def test_a_tool_tells_exact_defaults_and_takes_null_for_none(tmp_path: Path) -> None:
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "t.star").write_text(
        'def t(l = 9007199254740993, m = 1.0, n: int = None):\n  """Does."""\n  return [l, m, n]\n'
    )
    (tmp_path / "a.star").write_text('def agent(): return [tool("t"), tool("t", n = None), tool("t", n = 2)]\n')
    listed = chidori(tmp_path, "tools", "a.star", "--json").stdout
    assert '"default": 9007199254740993' in listed
    assert '"default": 1.0' in listed
    result = chidori(tmp_path, "run", "a.star")
    assert (result.returncode, json.loads(result.stdout)) == (0, [[2**53 + 1, 1.0, n] for n in (None, None, 2)])


def test_input_that_does_not_fit_is_for_another_run(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_text("def agent(topic): return topic\n")
    (tmp_path / "b.star").write_text('def agent(): return call_agent("./a.star")\n')
    result = chidori(tmp_path, "run", "a.star", "-i", "other=1")
    other = "\n  start a run with other input: chidori run a.star --input KEY=VALUE\n"
    assert_refused(result, 1, "a.star:1:1: the input has no `topic`, which agent(topic) needs", other)
    inside = chidori(tmp_path, "run", "b.star")
    assert_refused(inside, 1, "the input has no `topic`", "\n  mend the agent and go on with: chidori resume b.star ")
