"""``chidori branch``."""

from pathlib import Path

import orjson
import pytest

from .console import assert_refused, chidori, environment, run_id_of

ASKS = """
export async function agent(input, chidori) {
  const name = await chidori.input("Your name?");
  const greeting = await chidori.prompt(`Greet ${name}`);
  const colour = await chidori.input("Which colour?", { choices: ["red", "blue"] });
  return [name, greeting, colour];
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "asks.ts").write_text(ASKS)
    return tmp_path


def test_a_branch_prints_its_output_and_is_a_run_like_any_other(folder: Path) -> None:
    parent = run_id_of(chidori(folder, "run", "asks.ts", stdin="Ada\nred\n"))
    made = chidori(folder, "branch", parent, "--at", "2", "--result", '"Hello!"', "--as", "edited", stdin="blue\n")
    assert (made.returncode, orjson.loads(made.stdout)) == (0, ["Ada", "Hello!", "blue"]), made.stderr
    assert run_id_of(made) == "edited"
    assert "2 calls answered from the record" in made.stderr
    assert chidori(folder, "verify", "edited", parent).stdout == f"OK: edited\nOK: {parent}\n"
    assert orjson.loads(chidori(folder, "replay", parent).stdout) == ["Ada", "a fixed reply", "red"]
    manifest = orjson.loads(chidori(folder, "snapshot", "edited").stdout)
    assert (manifest["branch"]["parent_run_id"], manifest["branch"]["at_seq"]) == (parent, 2)


def test_a_branch_that_pauses_says_how_it_goes_on(folder: Path) -> None:
    parent = run_id_of(chidori(folder, "run", "asks.ts", stdin="Ada\nred\n"))
    paused = chidori(folder, "branch", parent[:8], "--at", "1", "--result", '"Grace"', "--note", "another person")
    assert (paused.returncode, paused.stdout) == (3, "")
    branch = run_id_of(paused)
    assert f"{branch} --answer" in paused.stderr
    done = chidori(folder, "resume", "asks.ts", branch, "--answer", "blue")
    assert orjson.loads(done.stdout) == ["Grace", "a fixed reply", "blue"], done.stderr
    trace = orjson.loads(chidori(folder, "trace", branch, "--json").stdout)
    assert "another person" in orjson.dumps(trace).decode()


def test_an_error_can_be_the_answer(folder: Path) -> None:
    parent = run_id_of(chidori(folder, "run", "asks.ts", stdin="Ada\nred\n"))
    failed = chidori(folder, "branch", parent, "--at", "2", "--error", "out of words")
    assert_refused(failed, 1, "Error: asks.ts:4:26: out of words", "chidori resume")
    resumed = chidori(folder, "resume", "asks.ts", run_id_of(failed), stdin="red\n")
    assert orjson.loads(resumed.stdout) == ["Ada", "a fixed reply", "red"], resumed.stderr


def test_a_stream_has_the_calls_of_the_branch(folder: Path) -> None:
    parent = run_id_of(chidori(folder, "run", "asks.ts", stdin="Ada\nred\n"))
    made = chidori(folder, "branch", parent, "--at", "2", "--result", '"Hi"', "--stream", "-q", stdin="red\n")
    events = [orjson.loads(line) for line in made.stdout.splitlines()]
    calls = [(event["record"]["seq"], event["record"].get("replayed", False)) for event in events[:-1]]
    assert calls == [(1, True), (2, True), (4, False)]
    assert events[1]["record"]["edited"] is True
    assert (events[-1]["type"], events[-1]["output"]) == ("done", ["Ada", "Hi", "red"])


def test_what_cannot_be_is_refused_in_words(folder: Path) -> None:
    parent = run_id_of(chidori(folder, "run", "asks.ts", stdin="Ada\n"))
    both = chidori(folder, "branch", parent, "--at", "1", "--result", "1", "--error", "x")
    assert_refused(both, 2, "--result JSON or with --error TEXT")
    neither = chidori(folder, "branch", parent, "--at", "1")
    assert_refused(neither, 2, "--result JSON or with --error TEXT")
    unquoted = chidori(folder, "branch", parent, "--at", "2", "--result", "hello")
    assert_refused(unquoted, 2, "the result is not JSON: hello", "a text stands in double quotes: '\"hello\"'")
    unknown = chidori(folder, "branch", parent, "--at", "9", "--result", "1")
    assert_refused(unknown, 2, f"run {parent} has no call #9", f"chidori trace {parent}")
    waiting = chidori(folder, "branch", parent, "--at", "3", "--result", '"red"')
    assert_refused(waiting, 2, f"call #3 (input) of run {parent} has not ended")
    assert_refused(chidori(folder, "branch", "nobody", "--at", "1", "--result", "1"), 1, "no run nobody")
    taken = chidori(folder, "branch", parent, "--at", "1", "--result", '"x"', "--as", parent)
    assert_refused(taken, 2, f"run {parent} exists already")
    assert chidori(folder, "branch", parent, "--at", "0", "--result", "1").returncode == 2
    assert len(orjson.loads(chidori(folder, "runs", "--json").stdout)["runs"]) == 1


def test_policy_and_settings_of_the_branch_are_those_of_now(folder: Path) -> None:
    (folder / "fetches.ts").write_text(
        "export async function agent(input, chidori) {\n"
        '  const url = await chidori.prompt("Which page?");\n'
        "  return chidori.tryCall(() => chidori.http(url));\n"
        "}\n"
    )
    parent = run_id_of(chidori(folder, "run", "fetches.ts"))
    result = '"http://127.0.0.1:9/"'
    made = chidori(folder, "branch", parent, "--at", "1", "--result", result, "--untrusted")
    assert "policy: `http` denied" in made.stdout, made.stderr
    other = environment(folder, CHIDORI_TS_RANDOM="disabled")
    refused = chidori(folder, "branch", parent, "--at", "1", "--result", result, env=other)
    assert_refused(refused, 1, "runtime snapshot policy mismatch")
