"""agents/webhook.ts at the real server, with deliveries as GitHub, Slack and Alertmanager send them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from aiohttp import web

from tests.front_door.deliveries import (
    ALERT_TOKEN,
    GITHUB_SECRET,
    SLACK_SECRET,
    TOKENS,
    Scene,
    bytes_of,
    environ_of,
    headers_of,
    services,
)
from tests.front_door.serving import serving
from tests.support.examples import ROOT
from tests.support.http_server import serve
from tests.support.openai_server import OpenAIServer

AGENT = ROOT / "agents" / "webhook.ts"


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with (
        OpenAIServer() as model,
        serve(services) as around,
        serving(AGENT, tmp_path, environ_of(model, around)) as client,
    ):
        yield Scene(client, model, around)


async def test_an_opened_pull_request_is_reviewed(scene: Scene) -> None:
    told = await scene.github("pull_request_opened")

    assert (told.status, told.json) == (200, {"reviewed": 42})
    diff = scene.request("/octocat/Hello-World/pull/42.diff")
    assert (diff.method, diff.headers["accept"]) == ("GET", "application/vnd.github.v3.diff")
    assert "authorization" not in diff.headers
    [prompt] = scene.prompts
    assert prompt.startswith("Review this pull request.")
    assert "Title: Greet in the reader’s language\n\nDiff:\n--- a/hello.py" in prompt
    assert scene.model.requests[0]["body"]["max_tokens"] == 1000
    comment = scene.request("/repos/octocat/Hello-World/issues/42/comments")
    assert (comment.method, comment.headers["authorization"]) == ("POST", f"Bearer {TOKENS['GITHUB_TOKEN']}")
    assert orjson.loads(comment.body)["body"].startswith("answer(Review this pull request.")


async def test_an_opened_issue_is_labelled_even_when_it_has_no_text(scene: Scene) -> None:
    told = await scene.github("issues_opened")

    [prompt] = scene.prompts
    assert prompt.endswith("Title: The greeting is always in English\n\nBody:\n")
    assert (told.status, told.json["triaged"]) == (200, 41)
    labels = orjson.loads(scene.request("/repos/octocat/Hello-World/issues/41/labels").body)
    assert labels == {"labels": [told.json["label"].lower()]}
    assert told.json["label"].startswith("answer(Classify this issue")


@pytest.mark.parametrize(("name", "action"), [("ping", None), ("issues_opened", "closed")])
async def test_other_events_of_github_are_left_alone(name: str, action: str | None, scene: Scene) -> None:
    told = await scene.github(name, lambda body: body.update(action=action))

    assert (told.status, told.json) == (200, {"ignored": headers_of(f"github_{name}")["X-GitHub-Event"]})
    assert (scene.around.received, scene.prompts) == ([], [])


async def test_a_redelivery_of_github_is_answered_and_not_done_again(scene: Scene) -> None:
    first = await scene.github("pull_request_opened")
    again = await scene.github("pull_request_opened")

    assert (again.status, again.body) == (first.status, first.body)
    assert len(scene.prompts) == 1
    assert len(scene.around.received) == 2


async def test_a_token_goes_to_no_host_that_a_payload_names(scene: Scene) -> None:
    async def elsewhere(request: web.Request) -> web.StreamResponse:
        return web.Response(text="thank you")

    async with serve(elsewhere) as other:

        def change(body: Any) -> None:
            body["pull_request"]["comments_url"] = f"{other.url}/comments"

        told = await scene.github("pull_request_opened", change)

    assert told.status == 500
    assert "GITHUB_TOKEN may be sent only to" in told.json["error"]
    assert other.received == []


async def test_a_slash_command_is_explained(scene: Scene) -> None:
    told = await scene.slack("slack_command", bytes_of("slack_command.txt"))

    text = dict(parse_qsl(bytes_of("slack_command.txt").decode()))["text"]
    assert scene.prompts == [f"Explain like I'm 5:\n{text}"]
    assert told.status == 200
    assert told.json["text"].startswith("answer(Explain like I'm 5")


async def test_an_unknown_slash_command_is_said(scene: Scene) -> None:
    told = await scene.slack("slack_command", b"command=%2Fdance&text=")

    assert (told.status, told.json) == (200, {"text": "Unknown command: /dance"})


@pytest.mark.parametrize(
    ("form", "path", "conversation"),
    [
        (
            b"&thread_ts=1770111672.345",
            "/slack/conversations.replies?channel=C1&ts=1770111672.345&limit=50",
            "U1: It is down.\nU2: I roll back.",
        ),
        (b"", "/slack/conversations.history?channel=C1&limit=50", "U1: Oldest.\nU2: Newest."),
    ],
)
async def test_a_conversation_is_summarized(form: bytes, path: str, conversation: str, scene: Scene) -> None:
    told = await scene.slack("slack_command", b"command=%2Fsummarize&channel_id=C1" + form)

    [asked] = scene.around.received
    assert (asked.path, asked.headers["authorization"]) == (path, f"Bearer {TOKENS['SLACK_BOT_TOKEN']}")
    assert scene.prompts == [f"Summarize this Slack conversation in three bullets:\n\n{conversation}"]
    assert told.json["text"].startswith("answer(Summarize this Slack")


async def test_slack_s_url_verification_gets_its_challenge(scene: Scene) -> None:
    body = bytes_of("slack_url_verification.json")

    told = await scene.slack("slack_url_verification", body)

    assert (told.status, told.json) == (200, {"challenge": orjson.loads(body)["challenge"]})


async def test_a_critical_alert_is_diagnosed_and_pages(scene: Scene) -> None:
    told = await scene.alert(bytes_of("alertmanager_firing.json"))

    assert (told.status, told.json["severity"]) == (200, "critical")
    [prompt] = scene.prompts
    for known in ("HighErrorRate", '"value": 7.25', "v2026.02.03-2", "SlowQueries"):
        assert known in prompt
    assert "LastYearsOne" not in prompt
    assert told.json["diagnosis"].startswith("answer(You are on call.")
    query = dict(parse_qsl(urlsplit(scene.request("/prometheus/api/v1/query").path).query))
    assert query == {"query": 'rate(errors{service="checkout"}[5m])'}
    page = orjson.loads(scene.request("/pager/v2/enqueue").body)
    assert (page["routing_key"], page["event_action"]) == (TOKENS["PAGER_ROUTING_KEY"], "trigger")
    assert page["payload"]["summary"] == f"checkout: {told.json['diagnosis']}"[:1024]


async def test_an_alert_of_another_kind_pages_nobody(scene: Scene) -> None:
    told = await scene.alert(orjson.dumps({"severity": "warning", "service": 'a"b'}))

    assert (told.status, told.json["severity"]) == (200, "warning")
    asked = {
        urlsplit(request.path).path: dict(parse_qsl(urlsplit(request.path).query)) for request in scene.around.received
    }
    assert asked == {
        "/prometheus/api/v1/query": {"query": r'rate(errors{service="a\"b"}[5m])'},
        "/deploys/deploys": {"service": 'a"b', "hours": "2"},
        "/alertmanager/api/v2/alerts": {"filter": r'service="a\"b"', "active": "true"},
    }


async def test_an_unknown_path_is_404_and_a_session_all_the_same(scene: Scene) -> None:
    told = await scene.client("GET", "/jira")

    assert (told.status, told.json) == (404, {"error": "Unknown path: /jira"})
    assert len((await scene.client("GET", "/sessions")).json["sessions"]) == 1


async def test_no_token_and_no_secret_is_in_the_store(scene: Scene) -> None:
    await scene.github("pull_request_opened")
    await scene.slack("slack_command", b"command=%2Fsummarize&channel_id=C1")
    await scene.alert(bytes_of("alertmanager_firing.json"))

    exported = await scene.exported()

    assert b"page_oncall" in exported
    for secret in (*TOKENS.values(), GITHUB_SECRET, SLACK_SECRET, ALERT_TOKEN):
        assert secret.encode() not in exported
