"""What a run that goes on in another process must know: which values answers may not hold."""

import asyncio
import re
from asyncio.subprocess import DEVNULL, PIPE
from pathlib import Path

import pytest
from aiohttp import web

from chidori_actors.journal.collection import collect
from chidori_actors.journal.given_variables import given_variables
from chidori_actors.journal.runs import get_run
from chidori_actors.transfer import export_run, import_checkpoint
from tests.cli.console import command_line, environment
from tests.session.test_secrets import ENVIRON, RUN, SECRETS, agent, assert_clean, attended
from tests.support.agents import (
    RecordingObserver,
    calls_of,
    output_of,
    pause_of,
    runtime_in,
    start,
    within,
    write_agent,
)
from tests.support.echoing import Echo, echoing
from tests.support.http_server import serve
from tests.support.killing import KILLED, SECONDS
from tests.support.secrets import leaks_in, leaks_in_store

SENDING = """export async function agent(input: any, chidori: any) {
    const [token, words] = [await chidori.env("TOKEN"), await chidori.env("WORDS")];
    await chidori.http(`${input.url}/keep`, { method: "POST", body: { token, words } });
    return "sent"; }"""
LATER = """export async function agent(input: any, chidori: any) {
    await chidori.callAgent("./sending.ts", input);
    const answer = await chidori.input("wait");
    return [answer, (await chidori.http(`${input.url}/text`)).body]; }"""


def sent_by_a_sub_agent(folder: Path) -> Path:
    """An agent that never sees a placeholder: its sub-agent has ended when the server gives the values back."""
    write_agent(folder, SENDING, "sending.ts")
    return write_agent(folder, LATER)


async def test_what_an_ended_sub_agent_sent_is_known_after_a_pause(tmp_path: Path) -> None:
    path, observer = sent_by_a_sub_agent(tmp_path), RecordingObserver()
    async with echoing(*SECRETS) as (echo, server):
        async with runtime_in(tmp_path, ENVIRON) as runtime:
            pause_of(await start(runtime, path, {"url": server.url}, attendance=attended(observer)))
        async with runtime_in(tmp_path, ENVIRON) as runtime:
            told = output_of(await runtime.resume(RUN, attendance=attended(observer, "on")))
        assert echo.seen == set(SECRETS)
    assert "chidori-env-TOKEN-" in told[1]
    assert_clean(tmp_path, observer, told)


@pytest.mark.parametrize("again", [1, 2])
async def test_a_branch_from_history_knows_what_the_other_run_sent(tmp_path: Path, again: int) -> None:
    path, observer = sent_by_a_sub_agent(tmp_path), RecordingObserver()
    async with echoing(*SECRETS) as (_, server):
        async with runtime_in(tmp_path, ENVIRON) as runtime:
            pause_of(await start(runtime, path, {"url": server.url}))
            output_of(await runtime.resume(RUN, attendance=attended(observer, "on")))
            at = next(call.seq for call in calls_of(runtime.store) if call.function == "input")
        origin = RUN
        for number in range(again):
            async with runtime_in(tmp_path, ENVIRON) as runtime:
                new_id = f"branch-{number}"
                result = await runtime.branch(
                    origin, at, result=b'"other"', new_id=new_id, attendance=attended(observer)
                )
                assert output_of(result)[0] == "other"
                assert "chidori-env-TOKEN-" in output_of(result)[1]
                origin = new_id
    assert_clean(tmp_path, observer)


async def test_an_imported_run_knows_what_it_sent_elsewhere(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    path, observer = sent_by_a_sub_agent(here), RecordingObserver()
    async with echoing(*SECRETS) as (_, server):
        async with runtime_in(here, ENVIRON) as runtime:
            pause_of(await start(runtime, path, {"url": server.url}))
            exported = export_run(runtime.store, get_run(runtime.store, RUN))
        assert leaks_in(exported, *SECRETS) == []
        async with runtime_in(there, ENVIRON) as runtime:
            await import_checkpoint(runtime.store, exported)
            told = output_of(await runtime.resume(RUN, attendance=attended(observer, "on")))
    assert "chidori-env-TOKEN-" in told[1]
    assert_clean(there, observer, told)


async def test_a_run_that_is_dropped_leaves_no_names(tmp_path: Path) -> None:
    path = write_agent(tmp_path, agent("return 1;"))
    async with runtime_in(tmp_path, ENVIRON) as runtime:
        meta = (await start(runtime, path)).meta
        assert sorted(given_variables(runtime.store, meta)) == ["TOKEN", "WORDS"]
        await collect(runtime.store, older_than_ms=0, now_ms=meta.updated_at_ms + 1)
        assert list(given_variables(runtime.store, meta)) == []


async def test_a_killed_process_leaves_nothing_and_the_next_one_knows_what_it_sent(tmp_path: Path) -> None:
    body = """await chidori.http(`${input.url}/keep`, { method: "POST", body: { token, words } });
        const answer = await chidori.http(`${input.url}/wait`, { method: "POST" });
        console.log(answer.body, token);
        throw new Error(`${answer.body} ${words}`);"""
    write_agent(tmp_path, agent(body))
    env = environment(tmp_path, **ENVIRON)
    processes: list[asyncio.subprocess.Process] = []
    echo = Echo(*SECRETS)

    async def handle(request: web.Request) -> web.Response:
        if request.path == "/wait" and len(processes) == 1:
            processes[0].kill()
            await processes[0].wait()
            raise web.HTTPInternalServerError
        return await echo.handle(request)

    async def chidori(*arguments: str) -> tuple[int, bytes]:
        process = await asyncio.create_subprocess_exec(
            *command_line(*arguments), cwd=tmp_path, env=env, stdout=PIPE, stderr=PIPE, stdin=DEVNULL
        )
        processes.append(process)
        out, err = await within(SECONDS, process.communicate())
        return process.returncode or 0, out + err

    async with serve(handle) as server:
        killed, told = await chidori("run", "agent.ts", "--input", f"url={server.url}")
        store = next(tmp_path.rglob("data.mdb")).parent
        assert killed == KILLED
        assert leaks_in(told, *SECRETS) == []
        assert leaks_in_store(store, *SECRETS) == []
        run = run_id_in(told)
        commands = (["resume", "agent.ts", run], ["trace", run], ["replay", run], ["export", run], ["runs"])
        for command in commands:
            code, told = await chidori(*command)
            assert b"Traceback" not in told
            assert leaks_in(told, *SECRETS) == [], (command, told)
            assert (code == 0) == (command[0] not in ("resume", "replay")), (command, told)
    assert echo.seen == set(SECRETS)
    assert leaks_in_store(store, *SECRETS) == []


def run_id_in(told: bytes) -> str:
    found = re.search(rb"^run (\S+)$", told, re.MULTILINE)
    assert found is not None, told
    return found[1].decode()
