"""Agents in Starlark whose source changed, and branches from their histories."""

from pathlib import Path

import pytest
from aiohttp import web

from chidori_actors import exact_json
from chidori_actors.errors import ManifestMismatch, ReplayDivergence
from chidori_actors.journal.runs import get_run
from chidori_actors.session.attendance import Attendance
from tests.cli.console import command_line, environment
from tests.support.agents import (
    bundle_of,
    pause_of,
    runtime_in,
    start,
    within,
)
from tests.support.http_server import serve
from tests.support.process import finished
from tests.support.services import ScriptedQuestions
from tests.support.starlark import LARGE, RUN, calls, check_replay, project, text_of

ASKS = "def agent():\n  log('a', n = 9007199254740993, f = 1.0)\n  return [input('b'), 'old']\n"


async def test_a_changed_source_goes_on_only_when_it_is_allowed_and_fits(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        pause_of(await start(runtime, project(tmp_path, {"agent.star": ASKS})))
        changed = bundle_of(project(tmp_path, {"agent.star": ASKS.replace("'old'", "'new'")}))
        with pytest.raises(ManifestMismatch, match=r"source mismatch: snapshot has agent\.star sha256:"):
            await runtime.resume(RUN, current=changed)
        other = bundle_of(project(tmp_path, {"agent.star": ASKS.replace(f"{LARGE}", f"{LARGE - 1}")}))
        with pytest.raises(ReplayDivergence, match=f"`fields.n` = {LARGE} but agent called `log` .* = {LARGE - 1} "):
            await runtime.resume(RUN, current=other, allow_source_change=True)
        attendance = Attendance(questions=ScriptedQuestions(["on"]))
        result = await runtime.resume(RUN, current=changed, allow_source_change=True, attendance=attendance)
        assert text_of(result) == '["on","new"]'
        await check_replay(runtime, result)


async def test_the_command_line_goes_on_with_a_changed_source(tmp_path: Path) -> None:
    async def chidori(*arguments: str, stdin: bytes = b"") -> tuple[int, bytes, str]:
        return await finished(*command_line(*arguments), cwd=tmp_path, env=environment(tmp_path), stdin=stdin)

    project(tmp_path, {"agent.star": ASKS})
    code, _, told = await chidori("run", "agent.star")
    assert code == 3, told
    run_id = told.split()[1]
    project(tmp_path, {"agent.star": ASKS.replace("'old'", "'new'")})
    code, _, told = await chidori("resume", "agent.star", run_id, "--answer", "on")
    assert (code, "source mismatch" in told) == (1, True), told
    code, out, told = await chidori("resume", "agent.star", run_id, "--answer", "on", "--allow-source-change")
    assert (code, exact_json.loads(out)) == (0, ["on", "new"]), told


HISTORY = """
def agent(url):
    log("first")
    found = http("GET", url + "/found")["body"]
    sent = http("POST", url + "/sent", json = {"twice": found["n"] * 2, "type": type(found["n"])})["body"]
    return [found, type(found["n"]), found["n"] + 1, sent["n"]]
"""


@pytest.mark.parametrize(
    ("edited", "kind", "twice", "more"),
    [
        (f"{LARGE}", "int", f"{2 * LARGE}", f"{LARGE + 1}"),
        (f"-{2**70}", "int", f"-{2**71}", f"{1 - 2**70}"),
        ("1.0", "float", "2.0", "2.0"),
        ("1", "int", "2", "2"),
    ],
)
async def test_an_edited_result_is_seen_as_it_was_written(
    tmp_path: Path, edited: str, kind: str, twice: str, more: str
) -> None:
    asked = 0

    async def count(request: web.Request) -> web.StreamResponse:
        nonlocal asked
        asked += 1
        return web.json_response({"n": asked + LARGE})

    path = project(tmp_path, {"agent.star": HISTORY})
    async with serve(count) as server, runtime_in(tmp_path) as runtime:
        first = await start(runtime, path, {"url": server.url})
        assert exact_json.loads(text_of(first))[1:] == ["int", LARGE + 2, LARGE + 2]
        at = calls(runtime, "http")[0]["seq"]
        body = f'{{"status":200,"headers":{{}},"body":{{"n":{edited}}}}}'
        result = await within(30, runtime.branch(RUN, at, result=body.encode(), new_id="branch"))
        assert text_of(result) == f'[{{"n":{edited}}},"{kind}",{more},{LARGE + 3}]'
        assert server.received[-1].body.decode() == f'{{"twice":{twice},"type":"{kind}"}}'
        assert len(server.received) == 3
        record = calls(runtime, "http", "branch")[0]
        assert exact_json.dumps(record["result"]["body"]).decode() == f'{{"n":{edited}}}'
        assert get_run(runtime.store, "branch").output == text_of(result).encode()
        await check_replay(runtime, result, "branch")
        await check_replay(runtime, first)
        assert len(server.received) == 3
