"""``chidori run`` from outside: what it prints where, and its exit codes."""

import json
import signal
from pathlib import Path

import pytest

from .console import assert_refused, chidori, environment, read_run_id, read_until, run_id_of, run_program, running

ECHO = """
export async function agent(input, chidori) {
  console.log("got", Object.keys(input).length);
  await chidori.log("working");
  return { input, reply: await chidori.prompt("Say something", { type: "answer" }) };
}
"""
WAITS = """
export async function agent(input, chidori) {
  await chidori.log("begun");
  await new Promise((resolve) => setTimeout(resolve, 6_000));
  return "slept";
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "echo.ts").write_text(ECHO)
    (tmp_path / "waits.ts").write_text(WAITS)
    return tmp_path


def test_run_prints_the_output_and_tells_the_rest_on_stderr(folder: Path) -> None:
    (folder / "text.md").write_text("some text")
    (folder / "more.json").write_text('{"c": [1]}')
    result = chidori(
        folder, "run", "echo.ts", "-i", "a=1", "--input", "b=@text.md", "-i", "@more.json", "-i", '{"a": 2}'
    )
    assert result.returncode == 0, result.stderr
    output = {"input": {"a": 2, "b": "some text", "c": [1]}, "reply": "a fixed reply"}
    assert result.stdout == json.dumps(output, indent=2) + "\n"
    lines = result.stderr.splitlines()
    assert lines[0] == f"run {run_id_of(result)}"
    assert lines[1:3] == ["#1 log …", "#1 log 0.0s"]
    assert lines[3] == "#2 prompt …"
    assert lines[4].startswith("#2 prompt 0.")
    assert lines[4].endswith("s 5 tokens")
    assert "console" not in result.stderr


def test_quiet_shows_no_progress_and_verbose_the_agents_console(folder: Path) -> None:
    result = chidori(folder, "run", "echo.ts", "-q", "--verbose")
    assert result.returncode == 0
    assert result.stderr.splitlines() == [f"run {run_id_of(result)}", "console.log: got 0"]


def test_trace_prints_the_calls_to_stderr_after_the_run(folder: Path) -> None:
    result = chidori(folder, "run", "echo.ts", "-q", "--trace")
    assert json.loads(result.stdout)["reply"] == "a fixed reply"
    assert "echo.ts:4:" in result.stderr
    assert "echo.ts:5:" in result.stderr


def test_stream_writes_every_event_as_a_line_of_json(folder: Path) -> None:
    result = chidori(folder, "run", "echo.ts", "--stream")
    assert result.returncode == 0, result.stderr
    events = [json.loads(line) for line in result.stdout.splitlines()]
    kinds = [event["type"] for event in events]
    assert kinds[:2] == ["call", "prompt_start"]
    assert kinds[-3:] == ["prompt_end", "call", "done"]
    assert set(kinds[2:-3]) == {"prompt_delta"}
    log, start, prompt, done = events[0], events[1], events[-2], events[-1]
    assert log["record"]["function"] == "log"
    assert (start["seq"], start["prompt_type"]) == (2, "answer")
    assert "".join(event["delta"] for event in events[2:-3]) == "a fixed reply"
    assert events[-3] == {
        "type": "prompt_end",
        "stream_id": start["stream_id"],
        "seq": 2,
        "prompt_type": "answer",
        "error": None,
    }
    assert prompt["record"]["result"] == "a fixed reply"
    assert prompt["record"]["path"] == "2"
    assert done == {
        "type": "done",
        "id": run_id_of(result),
        "status": "completed",
        "output": {"input": {}, "reply": "a fixed reply"},
    }


def test_stream_ends_with_the_failure_or_the_open_questions(folder: Path) -> None:
    (folder / "fails.ts").write_text('export async function agent() { throw new Error("no luck"); }')
    (folder / "asks.ts").write_text('export const agent = (input, chidori) => chidori.input("Name?");')
    failed = chidori(folder, "run", "fails.ts", "--stream")
    assert json.loads(failed.stdout.splitlines()[-1]) == {
        "type": "done",
        "id": run_id_of(failed),
        "status": "failed",
        "error": "no luck",
    }
    assert failed.returncode == 1
    paused = chidori(folder, "run", "asks.ts", "--stream")
    done = json.loads(paused.stdout.splitlines()[-1])
    assert (done["status"], done["pending_seq"], done["pending_prompt"]) == ("paused", 1, "Name?")
    assert [question["kind"] for question in done["pending"]] == ["input"]
    assert paused.returncode == 3


def test_a_failed_run_names_place_line_and_how_to_go_on(folder: Path) -> None:
    (folder / "my agent.ts").write_text(
        "interface Unused { x: number }\n"
        "export async function agent(input: unknown, chidori: any) {\n"
        '  return chidori.template("{{ missing }}", {});\n'
        "}\n"
    )
    result = chidori(folder, "run", "my agent.ts")
    run_id = run_id_of(result)
    assert_refused(result, 1, "Error: my agent.ts:3:10: ", "missing")
    assert '  return chidori.template("{{ missing }}", {});' in result.stderr
    assert f"chidori resume 'my agent.ts' {run_id}\n" in result.stderr
    assert f"chidori trace {run_id}" in result.stderr


def test_a_denial_is_always_visible(folder: Path) -> None:
    (folder / "denied.ts").write_text(
        "export const agent = (input, chidori) => chidori.tryCall(() => chidori.http('http://example.com'));"
    )
    result = chidori(folder, "run", "denied.ts", "--untrusted", "-q")
    assert result.returncode == 0
    assert "warning: #1 http: policy: `http` denied (--untrusted" in result.stderr


def test_a_run_that_policy_ended_says_that_policy_must_change_first(folder: Path) -> None:
    (folder / "denied.ts").write_text("export const agent = (input, chidori) => chidori.http('http://example.com');")
    result = chidori(folder, "run", "denied.ts", "--untrusted", "-q")
    assert_refused(
        result, 1, "  that holds for this run; begin another one, or branch off before the call: chidori branch"
    )


def test_a_reader_that_goes_away_ends_neither_the_run_nor_with_a_traceback(folder: Path) -> None:
    with running(folder, "run", "echo.ts", "--stream") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        told = process.stderr.read()
        assert process.wait(60) == 0
    assert "Error" not in told
    assert "Traceback" not in told
    run_id = told.split()[1]
    assert chidori(folder, "verify", run_id).stdout == f"OK: {run_id}\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_leaves_the_run_resumable_and_says_how(folder: Path, number: signal.Signals) -> None:
    with running(folder, "run", "waits.ts") as process:
        assert process.stderr is not None
        run_id = read_run_id(process)
        read_until(process, "#2 timer")
        process.send_signal(number)
        rest = process.stderr.read()
        assert process.wait(60) == 130
    assert f"Interrupted. Continue with: chidori resume waits.ts {run_id}\n" in rest
    assert "Traceback" not in rest
    # A resume waits for the rest of the timer's time.
    went_on = chidori(folder, "resume", "waits.ts", run_id)
    assert (went_on.returncode, went_on.stdout) == (0, '"slept"\n'), went_on.stderr
    assert "#1 log" not in went_on.stderr, "it is in the record"


def test_a_cluster_that_is_not_there_is_refused(folder: Path) -> None:
    result = chidori(folder, "run", "echo.ts", "--address", "127.0.0.1:1")
    assert_refused(result, 1, "no cluster answers at 127.0.0.1:1")
    both = chidori(folder, "run", "echo.ts", "--address", "127.0.0.1:1", "--local")
    assert_refused(both, 2, "--local and --address exclude each other")


def test_local_wins_over_the_environment(folder: Path) -> None:
    elsewhere = environment(folder, CHIDORI_RAY_ADDRESS="127.0.0.1:1")
    assert_refused(chidori(folder, "run", "echo.ts", env=elsewhere), 1, "no cluster answers at 127.0.0.1:1")
    assert_refused(chidori(folder, "runs", env=elsewhere), 1, "no cluster answers at 127.0.0.1:1")
    assert chidori(folder, "run", "echo.ts", "--local", env=elsewhere).returncode == 0


def test_resources_are_for_a_cluster(folder: Path) -> None:
    assert_refused(chidori(folder, "run", "echo.ts", "--resources", "cpus=1"), 2, "--resources is for a cluster")
    assert_refused(chidori(folder, "run", "echo.ts", "--resources", "cpus"), 2, "'cpus' is not NAME=AMOUNT")


def test_misuse_exits_2_and_the_version_is_known(folder: Path) -> None:
    unknown = chidori(folder, "run", "echo.ts", "--frobnicate")
    assert unknown.returncode == 2
    assert "No such option" in unknown.stderr
    assert chidori(folder, "frobnicate").returncode == 2
    assert chidori(folder, "--version").stdout.startswith("chidori 0.")


def test_run_loads_no_heavy_library_before_it_needs_one(folder: Path) -> None:
    (folder / "plain.ts").write_text("export const agent = (input, chidori) => chidori.log('hello');")
    program = (
        "import sys; from chidori_actors.cli import run_command; "
        "code = run_command(['run', 'plain.ts']); "
        "print(sorted(sys.modules.keys() & {'rich', 'aiohttp', 'litellm', 'jinja2', 'numpy'}), code)"
    )
    result = run_program(folder, program)
    assert result.stdout == "null\n[] 0\n", result.stderr
