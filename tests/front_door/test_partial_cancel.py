"""Cancelling a part of a session: the agent hears of it and goes on, and everything inside of it ends."""

from pathlib import Path
from typing import Any

import pytest

from chidori_actors.front_door.live_session import LiveSession
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.gate import Gate, gate

SECONDS = 60
HELD = "(await chidori.http(`${input.url}/%s`, { method: 'POST', body: {} })).body.through"
DEEP = {
    "branch": (f"chidori.parallel([async () => {HELD}])", "1/b0/1"),
    "sub-agent": ("chidori.callAgent('child.ts', input)", "1/1"),
    "tool": ("chidori.tool('t', input)", "1/1"),
    "all of them": (
        "chidori.parallel([() => chidori.callAgent('middle.ts', input)])",
        "1/b0/1/1/b0/1/1",
    ),
}


def source(body: str) -> str:
    return f"export async function agent(input: any, chidori: any) {{\n{body}\n}}"


def project(folder: Path, body: str) -> Path:
    (folder / "tools").mkdir()
    (folder / "tools" / "t.ts").write_text(
        'export const tool = { name: "t", description: "d", parameters: { type: "object" } };\n'
        f"export async function run(input: any, chidori: any) {{\nreturn {HELD % 'inside'};\n}}"
    )
    (folder / "child.ts").write_text(source(f"return {HELD % 'inside'};"))
    (folder / "middle.ts").write_text(source("return chidori.parallel([() => chidori.tool('t', input)]);"))
    return write_agent(folder, source(body))


async def begin(client: Client, target: Gate, name: str = "s") -> None:
    body = {"input": {"url": target.url}, "session_id": name}
    told = await client("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
    assert told.status == 202, told.body


async def cancel(client: Client, name: str = "s", expect: int = 200, **part: Any) -> Any:
    told = await within(SECONDS, client("POST", f"/sessions/{name}/cancel", json={"reason": "too slow", **part}))
    assert told.status == expect, told.body
    return told.json


async def ended(client: Client, name: str = "s") -> Any:
    await within(SECONDS, client("GET", f"/sessions/{name}/stream"))
    return (await client("GET", f"/sessions/{name}")).json


async def records(client: Client, name: str = "s") -> dict[str, Any]:
    log = (await client("GET", f"/sessions/{name}/checkpoint")).json["call_log"]
    return {record["path"]: record for record in log}


async def replayed(client: Client, output: Any) -> None:
    told = await within(SECONDS, client("POST", "/sessions/s/replay"))
    assert (told.status, told.json["output"]) == (201, output)


@pytest.mark.parametrize("kind", DEEP)
async def test_a_container_that_is_cancelled_fails_and_what_is_inside_ends(tmp_path: Path, kind: str) -> None:
    expression, inside = DEEP[kind]
    expression = expression.replace("%s", "inside")
    body = f"""try {{ return await {expression}; }}
    catch (error) {{ return [error.name, error.message, {HELD % "after"}]; }}"""
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        target.open("/after")
        await begin(client, target)
        await within(SECONDS, target.until_asked("/inside"))
        told = await cancel(client, seq=1)
        assert (told["id"], told["active"], told["reason"], told["seq"]) == ("s", True, "too slow", 1)
        await within(SECONDS, target.gone.wait())
        view = await ended(client)
        assert (view["status"], view["output"]) == ("completed", ["AbortError", "too slow", "/after"])
        log = await records(client)
        assert (log["1"]["error"], log["1"]["error_name"]) == ("too slow", "AbortError")
        assert log[inside]["error"] == "cancelled: outcome unknown"
        between = [log[path]["error"] for path in log if path not in ("1", "2", inside)]
        assert set(between) <= {"cancelled"}
        await replayed(client, ["AbortError", "too slow", "/after"])
        assert target.asked == ["/inside", "/after"]


async def test_one_of_several_branches_is_cancelled_and_the_others_go_on(tmp_path: Path) -> None:
    body = f"""const ends = await chidori.parallel(
      [async () => {HELD % "a"}, async () => {HELD % "b"}], {{ settle: true }});
    return ends.map((end: any) => end.value ?? [end.reason.name, end.reason.message]);"""
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        await begin(client, target)
        await within(SECONDS, target.until_asked("/a"))
        await within(SECONDS, target.until_asked("/b"))
        told = await cancel(client, actor="1/b1")
        assert (told["status"], told["actor"], told["seq"]) == ("running", "1/b1", None)
        target.open("/a")
        view = await ended(client)
        assert view["output"] == ["/a", ["AbortError", "branch 1: too slow"]]
        assert (await records(client))["1/b1/1"]["error"] == "cancelled: outcome unknown"
        await replayed(client, view["output"])
        assert sorted(target.asked) == ["/a", "/b"]


async def test_a_branch_that_was_cancelled_stays_so_when_the_run_pauses_and_goes_on(tmp_path: Path) -> None:
    body = f"""const ends = await chidori.parallel(
      [async () => {HELD % "a"}, () => chidori.input("Go on?")], {{ settle: true }});
    return ends.map((end: any) => end.value ?? end.reason.name);"""
    agent = project(tmp_path, body)
    async with gate() as target:
        async with serving(agent, tmp_path) as client:
            await begin(client, target)
            await within(SECONDS, target.until_asked("/a"))
            await cancel(client, actor="1/b0")
            assert (await ended(client))["status"] == "paused"
        async with serving(agent, tmp_path) as client:
            view = (await within(SECONDS, client("POST", "/sessions/s/resume", json={"response": "yes"}))).json
            assert view["output"] == ["AbortError", "yes"]
        assert target.asked == ["/a"]


async def test_a_sub_agent_is_cancelled_by_its_path_and_its_call_fails(tmp_path: Path) -> None:
    body = """try { return await chidori.parallel([() => chidori.callAgent('child.ts', input)]); }
    catch (error) { return [error.name, error.message]; }"""
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        await begin(client, target)
        await within(SECONDS, target.until_asked("/inside"))
        await cancel(client, actor="1/b0/1")
        view = await ended(client)
        assert view["output"] == ["AbortError", "branch 0: too slow"]
        log = await records(client)
        assert (log["1/b0/1"]["error"], log["1/b0/1"]["error_name"]) == ("too slow", "AbortError")
        await replayed(client, view["output"])


async def test_a_call_of_any_kind_is_cancelled_by_its_number(tmp_path: Path) -> None:
    body = f"""const other = {HELD % "first"};
    try {{ return {HELD % "slow"}; }}
    catch (error) {{ return [error.name, error.message, error.outcome, other]; }}"""
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        target.open("/first")
        await begin(client, target)
        await within(SECONDS, target.until_asked("/slow"))
        await cancel(client, seq=2)
        await within(SECONDS, target.gone.wait())
        view = await ended(client)
        assert view["output"] == ["AbortError", "too slow", "unknown", "/first"]
        await replayed(client, view["output"])
        assert target.asked == ["/first", "/slow"]


async def test_an_agent_that_does_not_catch_it_fails_and_may_make_the_call_again(tmp_path: Path) -> None:
    body = "return await chidori.parallel([() => chidori.callAgent('child.ts', input)]);"
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        await begin(client, target)
        await within(SECONDS, target.until_asked("/inside"))
        await cancel(client, actor="1/b0/1")
        view = await ended(client)
        assert (view["status"], "too slow" in view["error"]) == ("failed", True)
        target.open("/inside")
        again = (await within(SECONDS, client("POST", "/sessions/s/resume", json={"retry": True}))).json
        assert (again["status"], again["output"]) == ("completed", ["/inside"])
        assert target.asked == ["/inside", "/inside"]


async def test_what_is_not_under_way_cannot_be_cancelled(tmp_path: Path) -> None:
    body = f"""const first = {HELD % "first"};
    await chidori.parallel([async () => 1]);
    const second = {HELD % "slow"};
    return [first, second];"""
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        target.open("/first")
        await begin(client, target)
        await within(SECONDS, target.until_asked("/slow"))
        assert "call #1 is not under way" in (await cancel(client, expect=409, seq=1))["error"]
        assert "call #99 is not under way" in (await cancel(client, expect=409, seq=99))["error"]
        assert "actor 2/b0 is not under way" in (await cancel(client, expect=409, actor="2/b0"))["error"]
        assert "actor nowhere is not under way" in (await cancel(client, expect=409, actor="nowhere"))["error"]
        assert "either" in (await cancel(client, expect=422, actor="2/b0", seq=1))["error"]
        target.open("/slow")
        assert (await ended(client))["output"] == ["/first", "/slow"]
        assert "not under way" in (await cancel(client, expect=409, seq=1))["error"]
        assert (await client("POST", "/sessions/none/cancel", json={"seq": 1})).status == 404


async def test_the_path_of_the_root_is_the_whole_session(tmp_path: Path) -> None:
    body = f"return {HELD % 'slow'};"
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        await begin(client, target)
        await within(SECONDS, target.until_asked("/slow"))
        assert (await cancel(client, actor=""))["status"] == "cancelled"


@pytest.mark.parametrize("part", [{"seq": 2}, {"actor": "1/b0"}])
async def test_a_part_that_ends_by_itself_meanwhile_is_not_said_to_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, part: dict[str, Any]
) -> None:
    body = f"return await chidori.parallel([async () => {HELD % 'a'}, async () => {HELD % 'b'}]);"
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        await begin(client, target)
        await within(SECONDS, target.until_asked("/a"))
        # As if its end had been on its way into the record already.
        monkeypatch.setattr(LiveSession, "abort", lambda session, part, reason: target.open("/a"))
        assert "has ended by itself" in (await cancel(client, expect=409, **part))["error"]
        target.open("/b")
        assert (await ended(client))["output"] == ["/a", "/b"]


async def test_a_timer_is_not_cancelled_alone(tmp_path: Path) -> None:
    body = f"""const gone = new Promise((resolve) => setTimeout(() => resolve("rang"), 60_000));
    return Promise.race([gone, (async () => {HELD % "a"})()]);"""
    async with gate() as target, serving(project(tmp_path, body), tmp_path) as client:
        await begin(client, target)
        await within(SECONDS, target.until_asked("/a"))
        told = await cancel(client, seq=1, expect=409)
        assert told["error"] == "call #1 is a timer, whose end the agent could not catch"
        target.open("/a")
        assert (await ended(client))["output"] == "/a"
