"""``chidori console``: the front door on a store with no agent served, and the page that is opened."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import orjson
import pytest
from aiohttp import ClientSession

from tests.front_door.small_app import Client
from tests.support.server import SECONDS, server_process

from .console import assert_refused, chidori, command_line, environment, run_id_of

ASKS = """export async function agent(input, chidori) {
  const draft = await chidori.prompt("a draft");
  return { draft, name: await chidori.input("Name?") };
}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "chidori.json").write_text("{}")
    (tmp_path / "asks.ts").write_text(ASKS)
    return tmp_path


@asynccontextmanager
async def console(folder: Path, *arguments: str, **environ: str) -> AsyncIterator[tuple[str, Client]]:
    """The page that ``chidori console ARGUMENTS`` names, and its server; it is stopped as by Ctrl-C."""
    process = await asyncio.create_subprocess_exec(
        *command_line("console", "--port", "0", *arguments),
        cwd=folder,
        env=environment(folder, **environ),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stderr is not None
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            said = (await process.stderr.readline()).decode()
            assert said.startswith(f"Console of {folder}/.chidori/store at http://127.0.0.1:"), said
        page = said.split()[-1]
        async with ClientSession() as session:
            yield page, Client(page.partition("/console/")[0], session)
        process.send_signal(signal.SIGINT)
        async with asyncio.timeout(SECONDS):
            assert await process.wait() == 0
            assert await process.stdout.read() == b""
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_stored_runs_are_looked_at_and_go_on_and_no_agent_is_served(folder: Path) -> None:
    run = run_id_of(chidori(folder, "run", "asks.ts"))
    (folder / "asks.ts").unlink()
    async with console(folder, "--no-open", run[:8]) as (page, client):
        assert page.endswith(f"/console/runs/{run}")
        assert (await client("GET", f"/console/runs/{run}")).status == 200
        about = (await client("GET", "/server")).json
        assert (about["agents"], about["needs_key"], about["read_only"]) == (False, False, False)
        assert about["store"] == str(folder / ".chidori" / "store")
        assert (await client("GET", "/agents")).json == {"agents": []}
        for path in ("/sessions", "/sessions/stream", "/hook"):
            refused = await client("POST", path, json={"input": {}})
            assert (refused.status, refused.json["error"]) == (409, "no agent is served here"), path
        assert len((await client("GET", "/sessions")).json["sessions"]) == 1
        fork = (await client("POST", f"/sessions/{run}/branch", json={"at": 1, "result": "another"})).json
        assert fork["status"] == "paused"
        told = await client("POST", f"/sessions/{fork['id']}/resume", json={"response": "Ada"})
        assert told.json["output"] == {"draft": "another", "name": "Ada"}, told.body
        assert (await client("POST", f"/sessions/{fork['id']}/replay")).json["output"] == told.json["output"]


async def test_tools_of_another_folder_are_those_that_the_run_has_recorded(folder: Path) -> None:
    (folder / "more").mkdir()
    (folder / "more" / "t.ts").write_text(
        'export const tool = { name: "t", description: "d", parameters: { type: "object" } };\n'
        "export async function run() { return 7; }"
    )
    (folder / "asks.ts").write_text(
        "export async function agent(input, chidori) {\n"
        '  return [await chidori.input("Name?"), await chidori.tool("t", {})];\n}'
    )
    run = run_id_of(chidori(folder, "run", "asks.ts", "--tools", "more"))
    async with console(folder, "--no-open") as (_, client):
        told = await client("POST", f"/sessions/{run}/resume", json={"response": "Ada"})
        assert told.json.get("output") == ["Ada", 7], told.body


async def test_a_run_that_was_interrupted_is_left_as_it_is(folder: Path) -> None:
    (folder / "slow.ts").write_text(
        "export async function agent(input, chidori) {\n"
        "  await chidori.log('begun');\n  await new Promise((done) => setTimeout(done, 600000));\n}"
    )
    async with server_process(folder / "slow.ts", {}) as server, ClientSession() as session:
        body = {"input": {}, "session_id": "slow"}
        told = await Client(server.url, session)("POST", "/sessions", json=body, headers={"Prefer": "respond-async"})
        assert told.status == 202
        await server.kill()
    async with console(folder, "--no-open") as (page, client):
        assert page.endswith("/console/")
        view = (await client("GET", "/sessions/slow")).json
        assert (view["status"], view["interrupted"], view["live"]) == ("running", True, False)


async def test_a_file_is_imported_once_and_opened(folder: Path) -> None:
    run = run_id_of(chidori(folder, "run", "asks.ts"))
    exported = chidori(folder, "export", run, "-o", "taken.json")
    assert exported.returncode == 0, exported.stderr
    there = folder / "there"
    there.mkdir()
    file = there / "taken.json"
    file.write_bytes((folder / "taken.json").read_bytes())
    for _ in range(2):
        async with console(there, "--no-open", "taken.json") as (page, client):
            assert page.endswith(f"/console/runs/{run}")
            [item] = (await client("GET", "/sessions")).json["sessions"]
            assert (item["id"], item["imported"], item["pending_kind"]) == (run, True, "input")
    async with console(folder, "--no-open", "taken.json") as (page, _):
        assert page.endswith(f"/console/runs/{run}")
    other = orjson.loads(file.read_bytes())
    other["call_log"][0]["result"] = "something else"
    file.write_bytes(orjson.dumps(other))
    assert_refused(
        chidori(there, "console", "--no-open", "--port", "0", "taken.json"),
        1,
        "another run",
        "chidori import FILE --as",
    )


async def test_the_page_is_opened_in_the_browser_and_its_absence_is_no_fault(folder: Path) -> None:
    chidori(folder, "run", "asks.ts")
    browser, opened = folder / "browser", folder / "opened"
    os.mkfifo(opened)
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    async with console(folder, BROWSER=str(browser)) as (page, _), asyncio.timeout(SECONDS):
        assert (await asyncio.to_thread(opened.read_text)).strip() == page
    async with console(folder, BROWSER=str(folder / "missing")) as (_, client):
        assert (await client("GET", "/console/")).status == 200


@pytest.mark.parametrize(
    ("arguments", "code", "texts"),
    [
        ([], 1, ["no store at"]),
        (["nope.json"], 2, ["nope.json cannot be read"]),
        (["asks.ts"], 1, ["checkpoint"]),
    ],
)
def test_a_user_s_mistake_is_told_as_one(folder: Path, arguments: list[str], code: int, texts: list[str]) -> None:
    result = chidori(folder, "console", "--no-open", "--port", "0", *arguments)
    assert_refused(result, code, *texts)
    assert "internal error" not in result.stderr


def test_a_run_that_is_not_there_is_said_so(folder: Path) -> None:
    chidori(folder, "run", "asks.ts")
    assert_refused(chidori(folder, "console", "--no-open", "--port", "0", "nosuchrun"), 1, "no run nosuchrun")


async def test_where_another_server_has_the_store_its_console_is_named(folder: Path) -> None:
    async with server_process(folder / "asks.ts", {}) as server:
        result = await asyncio.to_thread(chidori, folder, "console", "--no-open", "--port", "0")
        assert_refused(result, 1, "is served by another server", f"{server.url}/console/")
        await server.stop()
        assert server.log[1] == f"Console at {server.url}/console/"
