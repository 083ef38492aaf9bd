"""``trace``, ``snapshot``, ``runs`` and ``stats`` on runs with several actors, and what is told while they run."""

import re
from pathlib import Path

import orjson
import pytest

from tests.support.agents import write_agent

from .console import chidori, run_id_of

CHILD = """
export async function agent(input, chidori) {
  await chidori.log("in the child");
  return await chidori.tool("shout", { text: await chidori.prompt("child " + input.n, { model: "gpt-4o" }) });
}
"""
SHOUT = """
export const tool = { name: "shout", description: "Shouts.", parameters: { type: "object", properties: {} } };
export async function run(args, chidori) {
  return (await chidori.input("Shout " + args.text + "?")) + "!";
}
"""
TREE = """
export async function agent(input, chidori) {
  await chidori.log("before");
  const both = await chidori.parallel([
    async () => await chidori.prompt("first branch", { model: "gpt-4o" }),
    async () => await chidori.callAgent("./child.ts", { n: 1 }),
  ]);
  await chidori.log("after");
  return both;
}
"""


@pytest.fixture
def here(tmp_path: Path) -> Path:
    write_agent(tmp_path, TREE)
    write_agent(tmp_path, CHILD, "child.ts")
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "shout.ts").write_text(SHOUT, encoding="utf-8")
    return tmp_path


INSIDE = "waits for what is inside of it"
FIGURES = r" +\+\d+\.\d{3}s +(?:\d+\.\d{3}s|…)  "


def assert_lines(lines: list[str], *patterns: str) -> None:
    for line, pattern in zip(lines, patterns, strict=False):
        assert re.fullmatch(pattern, line), line


def test_trace_shows_the_tree_of_a_run_that_waits_and_of_the_same_run_when_it_is_done(here: Path) -> None:
    paused = chidori(here, "run", "agent.ts", "-q")
    assert paused.returncode == 3, paused.stderr
    run_id = run_id_of(paused)
    lines = chidori(here, "trace", run_id).stdout.splitlines()
    assert_lines(
        lines,
        rf"#1{FIGURES}log +before  \(agent\.ts:3:\d+\)",
        rf"#2{FIGURES}parallel +2 branches  {INSIDE}  \(agent\.ts:4:\d+\)",
        rf"#\d{FIGURES}  b0 prompt +first branch  gpt-4o  2 in/3 out  \(agent\.ts:5:\d+\)",
        rf"#\d{FIGURES}  b1 call_agent +\./child\.ts {{\"n\":1}}  {INSIDE}  \(agent\.ts:6:\d+\)",
        rf"#\d{FIGURES}    log +in the child  \(child\.ts:3:\d+\)",
        rf"#\d{FIGURES}    prompt +child 1  gpt-4o  2 in/3 out  \(child\.ts:4:\d+\)",
        rf"#\d{FIGURES}    tool +shout {{\"text\":\"a fixed reply\"}}  {INSIDE}  \(child\.ts:4:\d+\)",
        rf"#\d{FIGURES}      input +Shout a fixed reply\?  waits for an answer  \(tools/shout\.ts:4:\d+\)",
        "",
        f"run {run_id}: paused",
        r"8 calls: 2 log, 2 prompt, 1 parallel, 1 call_agent, 1 tool, 1 input",
    )
    (seq,) = re.findall(r"#(\d+) .*input ", "\n".join(lines))
    done = chidori(here, "resume", "agent.ts", run_id, "--answer", f"{seq}=HEY", "--trace", "-q")
    assert orjson.loads(done.stdout) == ["a fixed reply", "HEY!"]
    lines = chidori(here, "trace", run_id).stdout.splitlines()
    assert "\n".join(lines) in done.stderr
    assert "waits" not in "\n".join(lines)
    assert_lines(lines[8:11], rf"#9{FIGURES}log +after  \(agent\.ts:8:\d+\)", "", f"run {run_id}: completed")
    assert "tokens 4 in, 6 out, cost $0.0000 (test provider, no cost)" in lines
    calls = orjson.loads(chidori(here, "trace", run_id, "--json").stdout)["calls"]
    assert [call["seq"] for call in calls] == list(range(1, 10))
    assert {call["path"] for call in calls} == {
        "1",
        "2",
        "3",
        "2/b0/1",
        "2/b1/1",
        *(f"2/b1/1/{n}" for n in (1, 2, 3)),
        "2/b1/1/3/1",
    }
    assert {call["path"]: call["place"] for call in calls}["2/b1/1/3/1"].startswith("tools/shout.ts:4:")


def test_an_open_call_in_the_json_trace_names_its_actor(here: Path) -> None:
    run_id = run_id_of(chidori(here, "run", "agent.ts", "-q"))
    calls = orjson.loads(chidori(here, "trace", run_id, "--json").stdout)["calls"]
    asked = next(call for call in calls if call["function"] == "input")
    tool = next(call for call in calls if call["function"] == "tool")
    assert (asked["path"], asked["actor"], asked["parent_seq"]) == ("2/b1/1/3/1", "2/b1/1/3", tool["seq"])
    assert (asked["state"], asked["duration_ms"]) == ("waits for an answer", None)


def test_progress_says_in_which_actor_a_call_is(here: Path) -> None:
    said = chidori(here, "run", "agent.ts").stderr
    assert re.search(r"^#\d 2/b0 prompt …$", said, re.MULTILINE)
    assert re.search(r"^#\d 2/b0 prompt \d+\.\ds 5 tokens$", said, re.MULTILINE)
    assert re.search(r"^#\d 2/b1/1 tool …$", said, re.MULTILINE)
    assert re.search(r"^#\d 2/b1/1/3 waits for an answer$", said, re.MULTILINE)
    assert re.search(r"^#1 log …$", said, re.MULTILINE)


def test_events_of_calls_inside_of_actors_are_told_with_their_seq_and_path(here: Path) -> None:
    said = chidori(here, "run", "agent.ts", "--stream")
    events = [orjson.loads(line) for line in said.stdout.splitlines()]
    records = {event["record"]["path"]: event["record"] for event in events if event["type"] == "call"}
    assert set(records) == {"1", "2/b0/1", "2/b1/1/1", "2/b1/1/2"}
    prompts = {records[path]["seq"] for path in ("2/b0/1", "2/b1/1/2")}
    for kind in ("prompt_start", "prompt_delta", "prompt_end"):
        assert {event["seq"] for event in events if event["type"] == kind} == prompts
    assert records["2/b1/1/2"]["actor"] == "2/b1/1"
    assert (events[-1]["type"], events[-1]["pending"][0]["path"]) == ("done", "2/b1/1/3/1")


def test_snapshot_names_images_by_actor_and_never_prints_them(here: Path) -> None:
    run_id = run_id_of(chidori(here, "run", "agent.ts", "-q"))
    found = orjson.loads(chidori(here, "snapshot", run_id).stdout)
    assert {"", "2/b1", "2/b1/1", "2/b1/1/3"} <= {image["path"] for image in found["images"]}
    assert [fork["path"] for fork in found["forks"]] == ["2"]
    assert all(set(image) == {"path", "lane", "after", "bytes"} for image in found["images"] + found["forks"])
    assert found["pending"]["id"] == "2/b1/1/3/1"
    assert (found["pending"]["kind"], found["questions"][0]["prompt"]) == ("input", "Shout a fixed reply?")


LINEAR = """
export async function agent(input, chidori) {
  const child = await chidori.callAgent("./child.ts", {});
  return [child, await chidori.prompt("one", { model: "gpt-4o" }), await chidori.prompt("two", { model: "gpt-4o" })];
}
"""


def test_runs_shows_branches_from_history_below_their_run_and_counts_their_records(tmp_path: Path) -> None:
    write_agent(tmp_path, LINEAR)
    write_agent(tmp_path, "export async function agent(i, chidori) { return await chidori.log('x'); }", "child.ts")
    parent = run_id_of(chidori(tmp_path, "run", "agent.ts", "-q"))
    other = run_id_of(chidori(tmp_path, "run", "agent.ts", "-q"))
    branch = run_id_of(chidori(tmp_path, "branch", parent, "--at", "3", "--result", '"edited"', "-q"))
    twig = run_id_of(chidori(tmp_path, "branch", branch, "--at", "5", "--result", '"edited"', "-q"))
    lines = chidori(tmp_path, "runs").stdout.splitlines()[1:]
    assert [line.split("  completed")[0].rstrip() for line in lines] == [other, parent, f"└ {branch}", f"  └ {twig}"]
    assert re.findall(r":\d\d  (\d+)", "\n".join(lines)) == ["4", "4", "4", "4"], (
        "what is shared with another run is in the record too"
    )
    assert lines[2].endswith("branch at #3")
    first = chidori(tmp_path, "runs", "--limit", "1").stdout.splitlines()[1]
    assert first.startswith(twig)
    assert first.endswith(f"branch of {branch} at #5")
    listed = orjson.loads(chidori(tmp_path, "runs", "--json").stdout)["runs"]
    assert [(run["id"], (run["branch"] or {}).get("parent_run_id")) for run in listed] == [
        (twig, branch),
        (branch, parent),
        (other, None),
        (parent, None),
    ]
    traced = chidori(tmp_path, "trace", branch).stdout.splitlines()
    assert [line.split()[0] for line in traced[:4]] == ["#1", "#2", "#3", "#5"]
    assert "1 call: 1 prompt" in traced
    assert f"and 2 calls shared with run {parent}, of which it is a branch at #3" in traced
    assert chidori(tmp_path, "stats").stdout.splitlines()[:2] == [
        "4 runs: 4 completed",
        "9 calls: 5 prompt, 2 call_agent, 2 log",
    ]
