"""``trace``, ``snapshot``, ``runs`` and ``stats`` on runs that the command line made."""

import asyncio
import os
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.cli import run_command
from chidori_actors.journal.lanes import Entry, Settled, Started, encode_entry, new_lane
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import RunMeta, get_run, list_runs, run_writes
from chidori_actors.journal.store import Store, Write
from chidori_actors.provider_keys import is_guarded_variable
from tests.support.agents import write_agent

MIXED = """
interface Input { name: string }
export async function agent(input: Input, chidori: any): Promise<any> {
  const greeting: string = await chidori.prompt("Greet " + input.name, { model: "gpt-4o" });
  await Promise.all([chidori.log("a\\nnote \\u001b[31m"), chidori.prompt("again", { model: "nobody/gpt-x" })]);
  await chidori.tryCall(() => chidori.template("{{ missing }}"));
  return greeting;
}
"""
ASKING = """
export async function agent(input, chidori) {
  await chidori.log("before");
  return await chidori.input("Shall we\\ngo on?");
}
"""
LOGGING = 'export async function agent(input, chidori) { await chidori.log("x"); return 1; }'
FAILING = 'export async function agent(input, chidori) { await chidori.log("x"); throw new Error("no good"); }'


@dataclass(frozen=True, slots=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self.err
        return orjson.loads(self.out)

    @property
    def lines(self) -> list[str]:
        assert self.code == 0, self.err
        return self.out.splitlines()


Chidori = Callable[..., Said]


@pytest.fixture
def chidori(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Chidori:
    """Runs a command line in a directory of the test's own, where prompts are answered with three words."""
    for name in [name for name in os.environ if is_guarded_variable(name)]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("CHIDORI_TEST_LLM_RESPONSE", "three fine words")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> Said:
        capfd.readouterr()
        code = run_command(list(arguments))
        out, err = capfd.readouterr()
        return Said(code, out, err)

    return run


def run_agent(chidori: Chidori, source: str, *arguments: str) -> str:
    """Run an agent of that source; the run's id."""
    write_agent(Path.cwd(), source)
    said = chidori("run", "agent.ts", *arguments)
    found = re.search(r"^run (\S+)$", said.err, re.MULTILINE)
    assert found is not None, said.err
    return found[1]


def in_store(work: Callable[[Store], Any]) -> Any:
    """What the coroutine ``work`` gives, on the store of the working directory."""
    store = LocalStore.open(Path(".chidori/store"))
    try:
        return asyncio.run(work(store))
    finally:
        store.close()


def test_trace_prints_a_line_a_call_and_then_the_totals(chidori: Chidori) -> None:
    run_id = run_agent(chidori, MIXED, "-i", "name=Ada")
    lines = chidori("trace", run_id[:8]).lines
    figures = r" +\+\d+\.\d{3}s +\d+\.\d{3}s  "
    assert re.fullmatch(rf"#1{figures}prompt    Greet Ada  gpt-4o  2 in/3 out  \(agent\.ts:4:\d+\)", lines[0])
    assert re.fullmatch(rf"#2{figures}log       a note \ufffd\[31m  \(agent\.ts:5:\d+\)", lines[1])
    assert re.fullmatch(rf"#3{figures}prompt    again  nobody/gpt-x  1 in/3 out  \(agent\.ts:5:\d+\)", lines[2])
    assert re.fullmatch(rf"#4{figures}template  {{{{ missing }}}}  error: .*missing.*  \(agent\.ts:6:\d+\)", lines[3])
    assert lines[4:7] == ["", f"run {run_id}: completed", "4 calls: 2 prompt, 1 log, 1 template"]
    assert re.fullmatch(r"wall time \d+\.\d{3}s", lines[7])
    assert lines[8] == "tokens 3 in, 6 out, cost $0.0000 (test provider, no cost)"


def test_trace_as_json_has_the_records_in_the_order_of_their_start(chidori: Chidori) -> None:
    run_id = run_agent(chidori, MIXED, "-i", "name=Ada")
    found = chidori("trace", run_id, "--json").json
    assert (found["run_id"], found["status"]) == (run_id, "completed")
    assert [call["seq"] for call in found["calls"]] == [1, 2, 3, 4]
    assert found["calls"][0]["result"] == "three fine words"
    assert found["calls"][0]["place"].startswith("agent.ts:4:")
    assert found["calls"][3]["error"]
    assert found["calls"][0]["provider"] == "test"
    assert found["totals"]["cost_usd"] == 0
    assert found["totals"]["models"]["gpt-4o"]["test_prompts"] == 1


def test_trace_says_what_a_call_waits_for_or_that_it_was_interrupted(chidori: Chidori) -> None:
    run_id = run_agent(chidori, ASKING)
    lines = chidori("trace", run_id).lines
    assert re.search(r"…  input  Shall we go on\?  waits for an answer", lines[1])
    assert f"run {run_id}: paused" in lines
    assert chidori("trace", run_id, "--json").json["calls"][1]["state"] == "waits for an answer"

    async def cut_off(store: Store) -> None:
        meta = get_run(store, run_id)
        await store.commit(run_writes(replace(meta, status="running", pending=()), new=False))

    in_store(cut_off)
    lines = chidori("trace", run_id).lines
    assert re.search(r"Shall we go on\?  interrupted", lines[1])
    assert f"run {run_id}: interrupted" in lines


def test_trace_indents_calls_by_their_parent_and_shows_attempts_and_warnings(chidori: Chidori) -> None:
    at = 1_700_000_000_000
    entries: list[Entry] = [
        Started(1, 1, 0, "tool", b'{"name":"t","kwargs":{"n":1}}', at),
        Started(2, 2, 0, "prompt", b'{"text":"x","model":"m"}', at + 5, parent_seq=1),
        Settled(
            2, 1, at + 65_005, 65_000, value=b'"y"', notes={"attempts": [{}, {}], "warnings": ["the reply is empty"]}
        ),
        Settled(1, 2, at + 70_000, 70_000, cancelled="cancelled"),
    ]

    async def write(store: Store) -> None:
        lane = await new_lane(store, "run")
        meta = RunMeta(
            "made-up", "a.ts", "cancelled", b"{}", at, at + 70_000, "00", at, lane, {}, warnings=("degraded",)
        )
        writes = [write for number, entry in enumerate(entries) for write in encode_entry(lane, number, entry)]
        await store.commit([*writes, *run_writes(meta, new=True)])

    in_store(write)
    assert chidori("trace", "made-up").lines == [
        '#1    +0.000s     1m10s  tool    t {"n":1}  cancelled',
        "#2    +0.005s     1m05s    prompt  x  m  [2 failed attempts]",
        "",
        "run made-up: cancelled",
        "2 calls: 1 tool, 1 prompt",
        "wall time 1m10s",
        "tokens 0 in, 0 out, cost unknown for m",
        "2 failed attempts tried again",
        "warning: degraded",
        "warning: #2 prompt: the reply is empty",
    ]


def test_trace_of_a_long_run_is_complete(chidori: Chidori) -> None:
    count = 20_000

    async def write(store: Store) -> None:
        lane = await new_lane(store, "run")
        writes: list[Write] = []
        for number in range(count):
            writes += encode_entry(
                lane, 2 * number, Started(number + 1, number + 1, number, "log", b'{"message":"m"}', 5)
            )
            writes += encode_entry(lane, 2 * number + 1, Settled(number + 1, number + 1, 6, 1, value=b"null"))
        meta = RunMeta("long-run", "a.ts", "completed", b"{}", 0, 9, "00", 0, lane, {}, output=b"1", call_count=count)
        await store.commit([*writes, *run_writes(meta, new=True)])

    in_store(write)
    lines = chidori("trace", "long-run").lines
    assert [line.split()[0] for line in lines[:count]] == [f"#{number}" for number in range(1, count + 1)]
    assert lines[count:] == ["", "run long-run: completed", "20000 calls: 20000 log", "wall time 0.009s"]


def test_the_run_s_own_trace_option_prints_the_same_to_stderr(chidori: Chidori) -> None:
    write_agent(Path.cwd(), LOGGING)
    said = chidori("run", "agent.ts", "--trace", "-q")
    run_id = said.err.split()[1]
    assert "".join(f"{line}\n" for line in chidori("trace", run_id).lines) in said.err


def test_snapshot_prints_the_manifest(chidori: Chidori) -> None:
    run_id = run_agent(chidori, ASKING)
    said = chidori("snapshot", run_id)
    assert said.json["run_id"] == run_id
    assert said.json["snapshot_kind"] == "image"
    assert said.json["pending"]["function"] == "input"
    assert said.out.startswith('{\n  "run_id"')


def test_runs_lists_the_newest_first_with_what_they_wait_for(chidori: Chidori) -> None:
    done, failed, paused = (run_agent(chidori, source) for source in (LOGGING, FAILING, ASKING))
    lines = chidori("runs").lines
    assert lines[0].split() == ["ID", "STATUS", "AGENT", "CREATED", "CALLS"]
    date = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
    assert re.fullmatch(rf"{paused}  paused     agent\.ts  {date}  1      asks: Shall we go on\?", lines[1])
    assert re.fullmatch(rf"{failed}  failed     agent\.ts  {date}  1      no good", lines[2])
    assert re.fullmatch(rf"{done}  completed  agent\.ts  {date}  1", lines[3])
    assert [run["id"] for run in chidori("runs", "--status", "failed", "--json").json["runs"]] == [failed]
    listed = chidori("runs", "--json").json["runs"][0]
    assert listed["pending_prompt"] == "Shall we\ngo on?"
    assert listed["call_count"] == 1


def test_runs_goes_on_where_the_page_before_ended(chidori: Chidori) -> None:
    ids = [run_agent(chidori, LOGGING) for _ in range(3)]
    first = chidori("runs", "--limit", "2", "--json").json
    rest = chidori("runs", "--limit", "2", "--cursor", first["next_cursor"], "--json").json
    assert [run["id"] for run in first["runs"] + rest["runs"]] == ids[::-1]
    assert rest["next_cursor"] is None
    assert f"--cursor {first['next_cursor']}" in chidori("runs", "--limit", "2").err


def test_a_run_of_a_dead_process_is_listed_as_interrupted_with_its_calls(chidori: Chidori) -> None:
    cut_off, _, alive = (run_agent(chidori, LOGGING) for _ in range(3))

    async def cut(store: Store) -> list[list[str]]:
        for run_id in (cut_off, alive):
            meta = get_run(store, run_id)
            await store.commit(run_writes(replace(meta, status="running", call_count=0), new=False))
        lease = await Lease.acquire(store, alive, "a test")
        try:
            return await asyncio.to_thread(listed)
        finally:
            lease.release()

    def listed() -> list[list[str]]:
        found = [chidori("runs", "--status", status, "--json").json for status in ("interrupted", "running")]
        return [[f"{run['id']} {run['call_count']}" for run in page["runs"]] for page in found]

    assert in_store(cut) == [[f"{cut_off} 1"], [f"{alive} 1"]]


def test_stats_adds_up_all_runs(chidori: Chidori) -> None:
    run_agent(chidori, MIXED, "-i", "name=Ada")
    run_agent(chidori, MIXED, "-i", "name=Bob")
    run_agent(chidori, FAILING)
    lines = chidori("stats").lines
    assert lines[:2] == ["3 runs: 2 completed, 1 failed", "9 calls: 4 prompt, 3 log, 2 template"]
    assert [line.split(maxsplit=4) for line in lines[3:6]] == [
        ["MODEL", "PROMPTS", "TOKENS", "IN", "TOKENS OUT  COST"],
        ["gpt-4o", "2", "4", "6", "$0.0000 (test provider, no cost)"],
        ["nobody/gpt-x", "2", "2", "6", "$0.0000 (test provider, no cost)"],
    ]
    assert lines[6] == "total cost $0.0000 (test provider, no cost)"
    found = chidori("stats", "--json").json
    assert found["runs"] == {"completed": 2, "failed": 1}
    assert found["damaged"] == []
    assert found["models"]["nobody/gpt-x"]["cost_usd"] == 0


def damage_lane(run_id: str) -> None:
    """Overwrite the first entry of the run's lane."""

    async def damage(store: Store) -> None:
        lane = get_run(store, run_id).lane
        key, value = next(store.scan("lanes", lane.to_bytes(8, "big")))
        await store.commit([Write("lanes", key, value[:-1] + b"\x00")])

    in_store(damage)


def test_a_damaged_run_hides_no_other_from_runs_and_stats(chidori: Chidori) -> None:
    broken, whole = (run_agent(chidori, LOGGING) for _ in range(2))

    async def damage(store: Store) -> None:
        await store.commit([Write("runs", broken.encode(), b"garbage")])

    in_store(damage)
    lines = chidori("runs").lines
    assert lines[1].startswith(f"{whole}  completed")
    assert lines[2].split(maxsplit=2) == [broken, "damaged", "its description cannot be read"]
    listed = chidori("runs", "--json").json
    assert ([run["id"] for run in listed["runs"]], listed["damaged"]) == ([whole], [broken])
    summed = chidori("stats")
    assert summed.lines == ["1 run: 1 completed", "1 call: 1 log"]
    assert summed.err == f"warning: run {broken} is damaged and not counted\n"
    assert chidori("stats", "--json").json["damaged"] == [broken]
    assert_one_line(chidori("trace", broken), f"the description of run {broken}")


def test_a_damaged_lane_is_left_out_of_stats_as_a_whole(chidori: Chidori) -> None:
    broken, _ = (run_agent(chidori, LOGGING) for _ in range(2))
    damage_lane(broken)
    summed = chidori("stats")
    assert summed.lines == ["1 run: 1 completed", "1 call: 1 log"]
    assert summed.err == f"warning: run {broken} is damaged and not counted\n"


@pytest.mark.parametrize("command", ["trace", "snapshot", "export"])
def test_what_is_broken_is_said_in_one_line(chidori: Chidori, command: str) -> None:
    assert_one_line(chidori(command, "none"), "no store at")
    run_id = run_agent(chidori, LOGGING)
    assert_one_line(chidori(command, "no-such-run"), "no run no-such-run in the store")
    assert_one_line(chidori(command, "a b"), "'a b' is not a run id")
    damage_lane(run_id)
    assert_one_line(chidori(command, run_id), "entry 0 of lane 4294967296 in the store")


def test_lists_of_a_broken_store_say_what_is_broken(chidori: Chidori) -> None:
    run_id = run_agent(chidori, LOGGING)
    assert_one_line(chidori("runs", "--cursor", "zz"), "'zz' is not a cursor")
    assert chidori("runs", "--limit", "0").code == 2
    assert len(chidori("runs").lines) == 2

    async def make_newer(store: Store) -> None:
        assert list_runs(store).runs
        await store.commit([Write("meta", b"format", b"99")])

    in_store(make_newer)
    for arguments in (("runs",), ("stats",), ("trace", run_id), ("import", __file__)):
        assert_one_line(chidori(*arguments), "newer version of chidori-actors")


def assert_one_line(said: Said, text: str) -> None:
    """``Error: …`` and at most a hint, exit code 1."""
    lines = said.err.splitlines()
    assert said.code == 1, said
    assert said.out == ""
    assert lines[0].startswith("Error: ")
    assert text in lines[0]
    assert len(lines) <= 2
    assert "Traceback" not in said.err


def test_an_empty_store_has_no_runs(chidori: Chidori) -> None:
    LocalStore.open(Path(".chidori/store")).close()
    assert chidori("runs").lines == ["no runs"]
    assert chidori("runs", "--json").json == {"runs": [], "damaged": [], "next_cursor": None}
    assert chidori("stats").lines == ["0 runs", "0 calls"]
