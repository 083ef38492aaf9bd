"""``chidori resume``: answers, approvals, changed sources, failed calls."""

from pathlib import Path

import pytest

from .console import assert_refused, chidori, environment, run_id_of

ASKS = """
export async function agent(input, chidori) {
  const name = await chidori.input("Your name?");
  const colour = await chidori.input("Which colour?", { choices: ["red", "blue"] });
  return `${name} likes ${colour}`;
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "asks.ts").write_text(ASKS)
    return tmp_path


def test_a_paused_run_goes_on_with_answers_from_the_command_line(folder: Path) -> None:
    paused = chidori(folder, "run", "asks.ts")
    run_id = run_id_of(paused)
    assert (paused.returncode, paused.stdout) == (3, "")
    assert "Paused: 1 question to answer\n  #1 Your name?\n" in paused.stderr
    assert f"chidori resume asks.ts {run_id} --answer 1=TEXT" in paused.stderr

    still = chidori(folder, "resume", "asks.ts", run_id)
    assert still.returncode == 3

    second = chidori(folder, "resume", "asks.ts", run_id, "--answer", "Ada")
    assert second.returncode == 3
    assert "#2 Which colour? (red, blue)" in second.stderr

    refused = chidori(folder, "resume", "asks.ts", run_id, "--answer", "2=green")
    assert_refused(refused, 2, "'green' is not among the choices of question 2", "choices: red, blue")

    done = chidori(folder, "resume", "asks.ts", run_id, "--answer", "2=blue")
    assert (done.returncode, done.stdout) == (0, '"Ada likes blue"\n')

    again = chidori(folder, "resume", "asks.ts", run_id)
    assert (again.returncode, again.stdout) == (0, '"Ada likes blue"\n')
    assert "2 calls answered from the record" in again.stderr


def test_a_pipe_on_stdin_answers_a_line_a_question(folder: Path) -> None:
    run_id = run_id_of(chidori(folder, "run", "asks.ts"))
    done = chidori(folder, "resume", "asks.ts", run_id, stdin="Grace\ngreen\nred")
    assert (done.returncode, done.stdout) == (0, '"Grace likes red"\n')
    assert "'green' is not among the choices: red, blue" in done.stderr


def test_the_end_of_input_takes_the_default(folder: Path) -> None:
    (folder / "default.ts").write_text(
        'export const agent = (input, chidori) => chidori.input("Go?", { choices: ["y", "n"], default: "n" });'
    )
    assert chidori(folder, "run", "default.ts").stdout == '"n"\n'


def test_answers_to_a_run_without_open_questions_are_refused(folder: Path) -> None:
    run_id = run_id_of(chidori(folder, "run", "asks.ts", stdin="Ada\nred\n"))
    refused = chidori(folder, "resume", "asks.ts", run_id, "--answer", "more")
    assert_refused(refused, 2, "the run has no open question")


MEMORY_NEEDS_APPROVAL = '{"rules": [{"target": "memory", "decision": "ask_before", "reason": "shared"}]}'
REMEMBERS = """
export async function agent(input, chidori) {
  await chidori.memory("set", "k", 1);
  return chidori.tryCall(() => chidori.memory("set", "other", 2));
}
"""


def test_approvals_are_for_a_terminal_or_for_resume_and_a_pipe_keeps_its_lines(folder: Path) -> None:
    (folder / "remembers.ts").write_text(REMEMBERS)
    env = environment(folder, CHIDORI_POLICY=MEMORY_NEEDS_APPROVAL)
    paused = chidori(folder, "run", "remembers.ts", stdin="yes\nall\n", env=env)
    run_id = run_id_of(paused)
    assert paused.returncode == 3
    assert "#1 waits for approval" in paused.stderr
    assert f"chidori resume remembers.ts {run_id} --approve 1   (or --deny 1)" in paused.stderr
    misplaced = chidori(folder, "resume", "--approve", "remembers.ts", run_id, env=env)
    assert misplaced.returncode == 2
    assert "without a number the option goes after RUN_ID" in misplaced.stderr

    approved = chidori(folder, "resume", "remembers.ts", run_id, "--approve", env=env)
    assert approved.returncode == 3, approved.stderr
    denied = chidori(folder, "resume", "remembers.ts", run_id, "--deny", "2", env=env)
    assert denied.returncode == 0, denied.stderr
    assert '"ok": false' in denied.stdout
    assert "warning: #2 memory: policy: `memory` denied (not approved: shared)" in denied.stderr


def test_a_changed_source_is_refused_unless_told_otherwise(folder: Path) -> None:
    run_id = run_id_of(chidori(folder, "run", "asks.ts"))
    (folder / "asks.ts").write_text(ASKS.replace("likes", "prefers"))
    refused = chidori(folder, "resume", "asks.ts", run_id, "--answer", "Ada")
    assert_refused(refused, 1, "runtime snapshot source mismatch: snapshot has asks.ts sha256:", "--recorded-source")
    both = chidori(folder, "resume", "asks.ts", run_id, "--recorded-source", "--allow-source-change")
    assert_refused(both, 2, "exclude each other")
    changed = chidori(folder, "resume", "asks.ts", run_id, "--allow-source-change", "--answer", "Ada", stdin="red\n")
    assert changed.stdout == '"Ada prefers red"\n', changed.stderr

    other = run_id_of(chidori(folder, "run", "asks.ts"))
    (folder / "asks.ts").unlink()
    recorded = chidori(folder, "resume", "asks.ts", other, "--recorded-source", stdin="Ada\nred\n")
    assert recorded.stdout == '"Ada prefers red"\n', recorded.stderr


def test_a_failed_run_makes_the_failed_call_again(folder: Path) -> None:
    (folder / "variable.ts").write_text(
        "export async function agent(input, chidori) {\n"
        '  await chidori.log("once");\n'
        '  await chidori.env("GREETING");\n'
        '  return "well";\n'
        "}\n"
    )
    failed = chidori(folder, "run", "variable.ts")
    assert_refused(failed, 1, "Error: variable.ts:3:9: ", "GREETING")
    env = environment(folder, GREETING="hello")
    went_on = chidori(folder, "resume", "variable.ts", run_id_of(failed), env=env)
    assert (went_on.returncode, went_on.stdout) == (0, '"well"\n'), went_on.stderr
    assert "#1 log" not in went_on.stderr
