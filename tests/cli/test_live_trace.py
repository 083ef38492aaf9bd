"""``trace --live``: runs of other processes, followed on a pseudo-terminal and through a pipe."""

import asyncio
import re
import subprocess
from contextlib import AbstractContextManager
from pathlib import Path

import orjson

from chidori_actors.cli.following import End
from tests.support.agents import write_agent
from tests.support.gate import Gate, gate

from .console import assert_refused, chidori, command_line, environment, read_run_id, run_id_of, run_program, running
from .pseudo_terminal import terminal
from .test_inspect_trees import CHILD, SHOUT, TREE

BRANCHES = """
export async function agent(input, chidori) {
  const call = (path) => chidori.http(input.url + path, { method: "POST", body: "x" });
  await chidori.tryCall(() => chidori.tool("missing", {}));
  const answers = await chidori.parallel(["/a", "/b", "/c"].map((path) => async () => {
    await chidori.prompt("look at " + path, { model: "gpt-4o" });
    return (await call(path)).body.through;
  }));
  const who = await chidori.input("Who is [bold]it[/bold]?\\x1b[2J", { choices: ["Ada", "Bob"] });
  return [...answers, await chidori.prompt("greet " + who, { model: "gpt-4o" })];
}
"""
ASKS = """
export async function agent(input, chidori) {
  await chidori.log("a long label that does not fit into forty columns at all, whatever one does with it");
  return await chidori.input("Name?");
}
"""


def under_way(folder: Path, door: Gate) -> AbstractContextManager["subprocess.Popen[str]"]:
    """The agent in a process of its own, which may call the gate."""
    return running(folder, "run", "agent.ts", "-q", "-i", f"url={door.url}", CHIDORI_HTTP_ALLOW_HOSTS="*")


async def test_branches_of_another_process_appear_and_an_answer_from_elsewhere_ends_the_view(tmp_path: Path) -> None:
    write_agent(tmp_path, BRANCHES)
    async with gate() as door:
        with under_way(tmp_path, door) as process:
            run_id = await asyncio.to_thread(read_run_id, process)
            await asyncio.gather(*(door.until_asked(path) for path in ("/a", "/b", "/c")))
            with terminal(tmp_path, "trace", "--live", run_id) as screen:
                lines = await asyncio.to_thread(screen.frame_with, "▸ b0 running", "▸ b1 running", "▸ b2 running")
                assert sum("http running" in line for line in lines) == 3
                assert any("✗ #1 tool failed" in line and "agent.ts:4:" in line for line in lines)
                assert any("9 in/9 out" in line for line in lines), "what was used so far"
                door.open("/b")
                lines = await asyncio.to_thread(screen.frame_with, "✓ b1 done")
                assert any("▸ b0 running" in line for line in lines)
                door.open("/a")
                door.open("/c")
                await asyncio.to_thread(process.wait)
                lines = await asyncio.to_thread(screen.frame_with, "paused", "Who is [bold]it[/bold]?�[2J (Ada, Bob)")
                command = next(line.strip() for line in lines if "--answer" in line)
                seq = command.rpartition("--answer ")[2].removesuffix("=TEXT")
                assert any(f"? #{seq} input waits for an answer" in line for line in lines)
                assert "\x1b[2J" not in screen.shown.partition("paused")[2]
                answer = ("resume", "agent.ts", run_id, "--answer", f"{seq}=Ada", "-q")
                resumed = await asyncio.to_thread(chidori, tmp_path, *answer)
                assert await asyncio.to_thread(screen.wait) == 0
    assert orjson.loads(resumed.stdout) == ["/a", "/b", "/c", "a fixed reply"]
    assert "✓ agent.ts  completed" in screen.left
    assert 'output ["/a","/b","/c","a fixed reply"]' in screen.left
    totals = chidori(tmp_path, "trace", run_id).stdout.partition(f"run {run_id}: ")
    assert screen.left.endswith("".join(totals[1:]))


def test_a_question_inside_of_a_tool_of_a_sub_agent_stands_in_its_place_in_the_tree(tmp_path: Path) -> None:
    for text, name in ((TREE, "agent.ts"), (CHILD, "child.ts"), (SHOUT, "tools/shout.ts")):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    run_id = run_id_of(chidori(tmp_path, "run", "agent.ts", "-q"))
    with terminal(tmp_path, "trace", "--live", run_id, columns=100) as screen:
        lines = screen.frame_with("--answer")
        screen.type("\x03")
        assert screen.wait() == 0
    tree = [re.sub(r"#\d+", "#N", re.split(r" \d+\.\ds", line)[0]) for line in lines]
    assert tree[2:12] == [
        "✓ #N log done",
        "? #N parallel waits",
        "  ✓ b0 done",
        "    ✓ #N prompt done",
        "  ? b1 waiting",
        "    ? #N call_agent waits",
        "      ✓ #N log done",
        "      ✓ #N prompt done",
        "      ? #N tool waits",
        "        ? #N input waits for an answer",
    ]


def test_a_narrow_terminal_is_never_overrun_and_a_wider_one_is_used(tmp_path: Path) -> None:
    write_agent(tmp_path, ASKS)
    run_id = run_id_of(chidori(tmp_path, "run", "agent.ts", "-q"))
    with terminal(tmp_path, "trace", "--live", run_id, columns=40, rows=12) as screen:
        lines = screen.frame_with("--answer 2=TEXT")
        assert max(map(len, lines)) <= 40
        assert len(lines) <= 12
        assert any("#1 log done" in line for line in lines)
        assert not any("forty columns" in line for line in lines)
        copied = " ".join(line.strip().removesuffix("\\").strip() for line in lines)
        assert copied.strip().endswith(f"chidori resume agent.ts {run_id} --answer 2=TEXT"), (
            "it can be pasted into a shell"
        )
        screen.resize(120, 12)
        lines = screen.frame_with(f"chidori resume agent.ts {run_id} --answer 2=TEXT", "forty columns at all")
        screen.type("\x03")
        assert screen.wait() == 0
    assert "? agent.ts  paused" in screen.left
    assert "\x1b[?25h" in screen.shown, "the cursor is back"
    assert chidori(tmp_path, "runs", "--status", "paused", "--json").stdout.count(f'"id": "{run_id}"') == 1


async def test_through_a_pipe_a_call_is_a_line_as_soon_as_it_ends_and_a_pause_is_the_end(tmp_path: Path) -> None:
    write_agent(tmp_path, BRANCHES)
    async with gate() as door:
        with under_way(tmp_path, door) as process:
            run_id = await asyncio.to_thread(read_run_id, process)
            await asyncio.gather(*(door.until_asked(path) for path in ("/a", "/b", "/c")))
            tracing = await asyncio.create_subprocess_exec(
                *command_line("trace", "--live", run_id),
                cwd=tmp_path,
                env=environment(tmp_path),
                stdout=asyncio.subprocess.PIPE,
            )
            assert tracing.stdout is not None
            async with asyncio.timeout(60):
                first = [(await tracing.stdout.readline()).decode() for _ in range(4)]
                assert sum("prompt  look at" in line for line in first) == 3
                door.open("/b")
                ended = (await tracing.stdout.readline()).decode()
                assert "2/b1 http  POST" in ended
                door.open("/a")
                door.open("/c")
                rest = (await tracing.stdout.read()).decode()
                assert await tracing.wait() == 0
    lines = rest.splitlines()
    assert {line.split()[3] for line in lines[:2]} == {"2/b0", "2/b2"}
    assert any(line == f"run {run_id}: paused" for line in lines)
    assert any(line.startswith("tokens 9 in, 9 out") for line in lines)
    assert "\x1b" not in rest


async def test_a_run_that_is_killed_is_shown_as_interrupted_with_the_way_on(tmp_path: Path) -> None:
    write_agent(tmp_path, BRANCHES)
    async with gate() as door:
        with under_way(tmp_path, door) as process:
            run_id = await asyncio.to_thread(read_run_id, process)
            await asyncio.gather(*(door.until_asked(path) for path in ("/a", "/b", "/c")))
            with terminal(tmp_path, "trace", "--live", run_id, columns=120) as screen:
                await asyncio.to_thread(screen.frame_with, "▸ b0 running")
                process.kill()
                assert await asyncio.to_thread(screen.wait) == 0
    assert "✗ agent.ts  interrupted" in screen.left
    assert f"chidori resume agent.ts {run_id}\n" in screen.left
    assert f"run {run_id}: interrupted\n" in screen.left


def test_a_run_that_has_ended_is_shown_whole_at_once_on_a_terminal_too(tmp_path: Path) -> None:
    write_agent(tmp_path, "export const agent = (input, chidori) => chidori.log('done');")
    run_id = run_id_of(chidori(tmp_path, "run", "agent.ts", "-q"))
    trace = chidori(tmp_path, "trace", run_id).stdout
    assert chidori(tmp_path, "trace", "--live", run_id).stdout == trace
    with terminal(tmp_path, "trace", "--live", run_id) as screen:
        assert screen.wait() == 0
    assert screen.shown == trace


def test_what_cannot_be_followed_is_refused(tmp_path: Path) -> None:
    write_agent(tmp_path, ASKS)
    run_id = run_id_of(chidori(tmp_path, "run", "agent.ts", "-q"))
    assert_refused(chidori(tmp_path, "trace", "--live", "--json", run_id), 2, "--live and --json exclude each other")
    assert_refused(chidori(tmp_path, "trace", "--live", "nowhere"), 1, "no run nowhere")


def test_the_trace_of_a_run_at_rest_needs_nothing_that_draws(tmp_path: Path) -> None:
    write_agent(tmp_path, ASKS)
    run_id = run_id_of(chidori(tmp_path, "run", "agent.ts", "-q"))
    program = (
        "import sys\n"
        "from chidori_actors.cli import run_command\n"
        f"assert run_command(['trace', {run_id!r}]) == 0\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules} & {'rich', 'aiohttp'}))\n"
    )
    assert run_program(tmp_path, program).stdout.endswith("\n[]\n")


def test_control_c_leaves_a_run_that_goes_on_alone(tmp_path: Path) -> None:
    write_agent(tmp_path, "export const agent = () => new Promise((resolve) => setTimeout(resolve, 600_000));")
    with running(tmp_path, "run", "agent.ts") as process:
        run_id = read_run_id(process)
        with terminal(tmp_path, "trace", "--live", run_id) as screen:
            screen.frame_with("▸ agent.ts  running")
            screen.type("\x03")
            assert screen.wait() == 0
        assert "▸ agent.ts  running" in screen.left
        assert process.poll() is None


def test_a_run_that_changes_hosts_is_followed_on() -> None:
    assert End(0).has_come("interrupted")
    moving = End(600)
    assert [moving.has_come(status) for status in ("interrupted", "running", "interrupted")] == [False] * 3
    assert moving.has_come("completed")
    assert End(0).has_come("paused")
    assert not End(0, "paused").has_come("paused")
