"""agents/integrations.star behind a server process: its deliveries and their replays."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from aiohttp import web

from chidori_actors import exact_json
from tests.front_door.deliveries import CRITICAL, TOKENS, TOOLS, Scene, bytes_of, scene_of, services
from tests.support.agents import within
from tests.support.examples import ROOT
from tests.support.starlark import LARGE

AGENT = ROOT / "agents" / "integrations.star"
SECONDS = 60


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with scene_of(AGENT, tmp_path) as (made, _):
        yield made


async def test_an_opened_pull_request_is_reviewed(scene: Scene) -> None:
    told = await scene.github("pull_request_opened")

    assert (told.status, told.json) == (200, {"reviewed": 42})
    diff = scene.request("/octocat/Hello-World/pull/42.diff")
    assert (diff.method, diff.headers["accept"]) == ("GET", "application/vnd.github.v3.diff")
    [prompt] = scene.prompts
    assert "Title: Greet in the reader’s language\n\nDiff:\n--- a/hello.py" in prompt
    assert scene.model.requests[0]["body"]["max_tokens"] == 1000
    comment = scene.request("/repos/octocat/Hello-World/issues/42/comments")
    assert (comment.method, comment.headers["authorization"]) == ("POST", f"Bearer {TOKENS['GITHUB_TOKEN']}")
    assert orjson.loads(comment.body) == {"body": "answer(Review this pull request. Flag correctne)#1"}


async def test_an_issue_whose_number_no_double_holds_stays_exact_and_its_replay_calls_nobody(tmp_path: Path) -> None:
    async def github(request: web.Request) -> web.StreamResponse:
        return web.json_response([{"id": LARGE + 2, "name": "bug", "weight": 1.0}])

    def change(body: Any) -> None:
        body["issue"] |= {"number": LARGE, "url": body["issue"]["url"].replace("/41", f"/{LARGE}")}

    async with scene_of(AGENT, tmp_path, github) as (scene, _):
        told = await scene.github("issues_opened", change)
        label = "answer(Classify this issue as 'bug', 'feature',)#1"
        assert told.status == 200
        assert told.body == b'{"triaged":%d,"label":"%s"}' % (LARGE, label.encode())
        [sent] = scene.around.received
        assert (sent.method, sent.path) == ("POST", f"/repos/octocat/Hello-World/issues/{LARGE}/labels")
        assert sent.headers["authorization"] == f"Bearer {TOKENS['GITHUB_TOKEN']}"
        assert sent.body == b'{"labels":["%s"]}' % label.lower().encode()

        data = exact_json.loads(await scene.checkpoint())
        assert data["input"]["event"]["body"]["issue"]["number"] == LARGE
        [posted] = [one for one in data["call_log"] if one["function"] == "http"]
        assert exact_json.dumps(posted["result"]["body"]) == b'[{"id":%d,"name":"bug","weight":1.0}]' % (LARGE + 2)
        [session] = await scene.sessions()
        view = (await scene.client("GET", f"/sessions/{session}")).body
        assert b'"body":{"triaged":%d,' % LARGE in view
        replayed = await scene.client("POST", f"/sessions/{session}/replay")
        assert (replayed.status, replayed.json["status"]) == (201, "completed")
        assert b'"triaged":%d' % LARGE in replayed.body
        assert (len(scene.around.received), len(scene.prompts)) == (1, 1)


async def test_what_is_not_signed_or_was_seen_or_is_not_meant_is_not_done(scene: Scene) -> None:
    unsigned = await scene.client("POST", "/github", json={"action": "opened"}, headers={"X-GitHub-Event": "issues"})
    assert (unsigned.status, await scene.sessions()) == (401, [])
    first = await scene.github("pull_request_opened")
    again = await scene.github("pull_request_opened")
    assert (again.status, again.body) == (first.status, first.body)
    ping = await scene.github("ping")
    assert (ping.status, ping.json) == (200, {"ignored": "ping"})
    unknown = await scene.client("GET", "/jira")
    assert (unknown.status, unknown.json) == (404, {"error": "Unknown path: /jira"})
    assert (len(scene.around.received), len(scene.prompts), len(await scene.sessions())) == (2, 1, 3)


async def test_slash_commands_of_slack_are_answered(scene: Scene) -> None:
    told = await scene.slack("slack_command", bytes_of("slack_command.txt"))
    text = dict(parse_qsl(bytes_of("slack_command.txt").decode()))["text"]
    assert scene.prompts == [f"Explain like I'm 5:\n{text}"]
    assert (told.status, told.json["text"].startswith("answer(Explain like I'm 5")) == (200, True)

    unknown = await scene.slack("slack_command", b"command=%2Fdance&text=")
    assert (unknown.status, unknown.json) == (200, {"text": "Unknown command: /dance"})
    forged = await scene.client("POST", "/slack", data=b"command=%2Fdance", headers={"X-Slack-Signature": "v0=00"})
    assert forged.status == 401


@pytest.mark.parametrize(
    ("form", "path", "conversation"),
    [
        (
            b"&thread_ts=1770111672.345",
            "/slack/conversations.replies?channel=C1&limit=50&ts=1770111672.345",
            "U1: It is down.\nU2: I roll back.",
        ),
        (b"", "/slack/conversations.history?channel=C1&limit=50", "U1: Oldest.\nU2: Newest."),
    ],
)
async def test_a_conversation_is_summarized(form: bytes, path: str, conversation: str, scene: Scene) -> None:
    told = await scene.slack("slack_command", b"command=%2Fsummarize&channel_id=C1" + form)

    [sent] = scene.around.received
    assert (sent.path, sent.headers["authorization"]) == (path, f"Bearer {TOKENS['SLACK_BOT_TOKEN']}")
    assert scene.prompts == [f"Summarize this Slack conversation in three bullets:\n\n{conversation}"]
    assert told.json["text"].startswith("answer(Summarize this Slack")


async def test_an_alert_s_tools_are_called_side_by_side_before_it_is_diagnosed(tmp_path: Path) -> None:
    together = asyncio.Barrier(len(TOOLS))

    async def side_by_side(request: web.Request) -> web.StreamResponse:
        if request.path in TOOLS:
            await within(SECONDS, together.wait())
        return await services(request)

    async with scene_of(AGENT, tmp_path, side_by_side) as (scene, _):
        told = await scene.alert(orjson.dumps(CRITICAL | {"id": LARGE, "rate": 2.0}))
        assert told.status == 200, told.body

        [prompt] = scene.prompts
        for known in (f'"id": {LARGE}', '"rate": 2.0', '"value": 7.25', "v2026.02.03-2", "SlowQueries"):
            assert known in prompt
        diagnosis = "answer(You are on call. Say in at most five sen)#1"
        assert (told.status, told.json) == (200, {"diagnosis": diagnosis, "severity": "critical"})
        assert scene.model.requests[0]["body"]["max_tokens"] == 500
        query = dict(parse_qsl(urlsplit(scene.request(TOOLS[0]).path).query))
        assert query == {"query": 'rate(errors{service="checkout"}[5m])'}
        page = orjson.loads(scene.request("/pager/v2/enqueue").body)
        assert (page["routing_key"], page["payload"]["summary"]) == (
            TOKENS["PAGER_ROUTING_KEY"],
            f"checkout: {diagnosis}",
        )
        data = await scene.checkpoint()
        for token in TOKENS.values():
            assert token.encode() not in data


async def test_an_alert_that_is_not_critical_pages_nobody(scene: Scene) -> None:
    told = await scene.alert(b'{"severity":"warning"}')

    assert (told.status, told.json["severity"]) == (200, "warning")
    assert scene.asked == dict.fromkeys(TOOLS, 1)


STAR_TOOLS = {
    name: f'def {name}(service = "", query = "", hours = 0):\n    """Asks."""\n'
    f'    return http(env("DEPLOYS_URL", reveal = True) + "/{name}", params = {{"hours": hours}})["body"]\n'
    for name in ("prometheus_query", "recent_deploys", "recent_alerts")
} | {
    "page_oncall": 'def page_oncall(service, diagnosis):\n    """Pages."""\n'
    f'    return http("POST", env("PAGER_URL", reveal = True), json = {{"n": {LARGE} * 3, "f": 3.0, "s": service}})\n'
}


async def test_tools_in_starlark_get_give_and_send_numbers_exactly(tmp_path: Path) -> None:
    async def numbers(request: web.Request) -> web.StreamResponse:
        return web.Response(text=f'{{"id": {LARGE}, "f": 1.0}}', content_type="application/json")

    project = tmp_path / "project"
    (project / "tools").mkdir(parents=True)
    (project / "prompts").mkdir()
    (project / "chidori.json").write_text("{}")
    for name in ("integrations.star", "prompts/alert.jinja"):
        (project / name).write_bytes((AGENT.parent / name).read_bytes())
    for name, source in STAR_TOOLS.items():
        (project / "tools" / f"{name}.star").write_text(source)
    async with scene_of(project / "integrations.star", tmp_path, numbers) as (scene, _):
        told = await scene.alert(orjson.dumps(CRITICAL))
        assert told.status == 200, told.body
        [prompt] = scene.prompts
        assert prompt.count(f'{{"f": 1.0, "id": {LARGE}}}') == 3
        assert scene.request("/pager").body == b'{"n":%d,"f":3.0,"s":"checkout"}' % (LARGE * 3)
        calls = exact_json.loads(await scene.checkpoint())["call_log"]
        [parallel] = [one for one in calls if one["function"] == "parallel"]
        assert exact_json.dumps(parallel["result"]) == b"[%s]" % b",".join([b'{"id":%d,"f":1.0}' % LARGE] * 3)
