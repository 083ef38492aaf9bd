"""agents/integrations.star when deliveries fail and its server is killed."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web

from chidori_actors import exact_json
from tests.front_door.deliveries import CRITICAL, TOKENS, TOOLS, Scene, environ_of, scene_of, services
from tests.front_door.small_app import Client
from tests.support.agents import within
from tests.support.examples import ROOT, Examples
from tests.support.openai_server import Scripted
from tests.support.sse import frames
from tests.support.starlark import LARGE

AGENT = ROOT / "agents" / "integrations.star"
SECONDS = 60


def seq_of(data: bytes, function: str, **args: Any) -> str:
    """The seq of the only such call of a checkpoint."""
    calls = exact_json.loads(data)["call_log"]
    found = [one for one in calls if one["function"] == function and one["args"].items() >= args.items()]
    assert len(found) == 1, found
    return str(found[0]["seq"])


async def imported(scene: Scene, folder: Path) -> tuple[Examples, Mapping[str, str], bytes, str]:
    """The only session as its checkpoint, imported into a store of the command line: the command, what its live runs
    need, the checkpoint and the run's id."""
    data = await scene.checkpoint()
    file = folder / "failed.json"
    file.write_bytes(data)
    chidori = Examples(folder / "local")
    told = await chidori("import", str(file))
    assert told.code == 0, told.stderr
    environ = {
        name: value for name, value in environ_of(scene.model, scene.around).items() if name != "CHIDORI_WEBHOOKS"
    }
    return chidori, environ, data, told.stdout.decode().strip()


async def test_a_failed_delivery_is_replayed_and_mended_on_the_command_line(tmp_path: Path) -> None:
    async with scene_of(AGENT, tmp_path) as (scene, _):
        scene.model.script.append(Scripted(status=400, message="no such model"))
        told = await scene.github("pull_request_opened")
        assert (told.status, "no such model" in told.json["error"]) == (500, True)
        assert "integrations.star:43:14" in told.json["error"]
        assert scene.asked == {"/octocat/Hello-World/pull/42.diff": 1}

        chidori, environ, data, run_id = await imported(scene, tmp_path)
        replayed = await chidori("replay", run_id)
        assert (replayed.code, replayed.stdout, "no such model" in replayed.stderr) == (1, b"", True), replayed.stderr
        assert (len(scene.around.received), len(scene.prompts)) == (1, 1)

        at = seq_of(data, "prompt")
        mended = await chidori("branch", run_id, "--at", at, "--result", '"Fine, but why?"', **environ)
        assert mended.output == {"status": 200, "body": {"reviewed": 42}}
        comment = scene.request("/repos/octocat/Hello-World/issues/42/comments")
        assert orjson.loads(comment.body) == {"body": "Fine, but why?"}
        assert comment.headers["authorization"] == f"Bearer {TOKENS['GITHUB_TOKEN']}"
        assert (len(scene.around.received), len(scene.prompts)) == (2, 1)
        verified = await chidori("verify", mended.run_id)
        assert verified.code == 0, verified.stderr


async def test_the_result_of_a_tool_in_a_fork_is_edited_and_the_rest_runs_live(tmp_path: Path) -> None:
    async def broken_pager(request: web.Request) -> web.StreamResponse:
        return web.Response(status=503) if request.path == "/pager/v2/enqueue" else await services(request)

    async with scene_of(AGENT, tmp_path, broken_pager) as (scene, _):
        told = await scene.alert(orjson.dumps(CRITICAL))
        assert (told.status, "the pager: status 503" in told.json["error"]) == (500, True), told.body
        before = scene.asked

        chidori, environ, data, run_id = await imported(scene, tmp_path)
        at = seq_of(data, "tool", name="recent_deploys")
        edited = f'[{{"build": {LARGE}, "share": 1.0}}]'
        branched = await chidori("branch", run_id, "--at", at, "--result", edited, **environ)
        assert (branched.code, "the pager: status 503" in branched.stderr) == (1, True), branched.stderr
        _, prompt = scene.prompts
        assert f'<deploys hours="2">\n[{{"build": {LARGE}, "share": 1.0}}]\n</deploys>' in prompt
        after = scene.asked
        assert (before[TOOLS[1]], after[TOOLS[1]], after["/pager/v2/enqueue"]) == (1, 1, 2)


async def session_with(scene: Scene, ended: int) -> str:
    """The only session, once so many of its tools have ended for good."""
    [session] = await scene.sessions()
    async with scene.client.session.get(f"{scene.client.url}/sessions/{session}/stream") as response:
        async for frame in frames(response):
            ended -= frame.event == "call" and frame.data["function"] == "tool"
            if ended == 0:
                return session
    raise AssertionError("it came to rest")


async def rested(client: Client, session: str) -> Any:
    async with client.session.get(f"{client.url}/sessions/{session}/stream") as response:
        assert [frame async for frame in frames(response)][-1].event == "done"
    return (await client("GET", f"/sessions/{session}")).json


@pytest.mark.parametrize(
    ("held", "ended", "twice"), [(TOOLS[1], 2, TOOLS[1]), ("/pager/v2/enqueue", 3, "/pager/v2/enqueue")]
)
async def test_what_was_answered_before_a_kill_is_not_asked_again(
    tmp_path: Path, held: str, ended: int, twice: str
) -> None:
    """Killed in the parallel section, and while the page is under way: only that request is sent again."""
    arrived, released = asyncio.Event(), asyncio.Event()

    async def holding(request: web.Request) -> web.StreamResponse:
        if request.path == held:
            arrived.set()
            await released.wait()
        return await services(request)

    async with scene_of(AGENT, tmp_path, holding) as (scene, process):
        delivered = asyncio.create_task(scene.alert(orjson.dumps(CRITICAL)))
        await within(SECONDS, arrived.wait())
        session = await within(SECONDS, session_with(scene, ended))
        await process.kill()
        await asyncio.wait([delivered])
        arrived.clear()
        await process.start()
        await within(SECONDS, arrived.wait())
        released.set()
        view = await within(SECONDS, rested(scene.client, session))

        assert (view["status"], view["output"]["body"]["severity"]) == ("completed", "critical"), view
        assert scene.asked == dict.fromkeys([*TOOLS, "/pager/v2/enqueue"], 1) | {twice: 2}
        assert len(scene.prompts) == 1
        pages = [one for one in scene.around.received if one.path == "/pager/v2/enqueue"]
        assert len({page.headers["idempotency-key"] for page in pages}) == 1
        assert len({page.body for page in pages}) == 1
        replayed = await scene.client("POST", f"/sessions/{session}/replay")
        assert (replayed.status, replayed.json["output"]) == (201, view["output"])
