"""Policies behind a real server: the examples of agents/policies, profiles of sessions, approvals over HTTP."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import ClientSession, web

from chidori_actors.client import AgentClient
from chidori_actors.policy import Policy
from chidori_actors.settings import load_settings
from tests.front_door.deliveries import CRITICAL, TOOLS, Scene, scene_of
from tests.front_door.small_app import Client
from tests.support.agents import within, write_agent
from tests.support.examples import ROOT
from tests.support.gate import gate
from tests.support.http_server import serve
from tests.support.server import ServerProcess, server_process

POLICIES = ROOT / "agents" / "policies"
SECONDS = 60
LOCAL = {"CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}
DIFF, COMMENTS, PAGER = (
    "/octocat/Hello-World/pull/42.diff",
    "/repos/octocat/Hello-World/issues/42/comments",
    "/pager/v2/enqueue",
)
AGENTS = [("webhook.ts", "webhook.json"), ("integrations.star", "integrations.json")]

# -- the examples ---------------------------------------------------------------------------------------------------


@asynccontextmanager
async def _gated(agent: str, policy: str, folder: Path) -> AsyncIterator[tuple[Scene, ServerProcess]]:
    async with scene_of(ROOT / "agents" / agent, folder, policy_file=POLICIES / policy) as scene:
        yield scene


async def _decide(client: Client, session: str, decision: str) -> Any:
    told = await client("POST", f"/sessions/{session}/approve", json={"decision": decision})
    assert told.status == 200, told.body
    return told.json


@pytest.mark.parametrize(("agent", "policy"), AGENTS)
async def test_a_review_is_published_once_somebody_approved_it(agent: str, policy: str, tmp_path: Path) -> None:
    async with _gated(agent, policy, tmp_path) as (scene, server):
        told = await scene.github("pull_request_opened")
        assert (told.status, told.json["status"]) == (202, "awaitingapproval"), told.body
        pending = told.json["pending_approval"]
        assert (pending["target"], pending["args"]["method"]) == ("http", "POST")
        assert pending["args"]["url"] == scene.around.url + COMMENTS
        assert b"github-token-of-the-test" not in told.body
        await server.kill()
        await server.start()
        assert (scene.asked, len(scene.prompts)) == ({DIFF: 1}, 1)
        ended = await _decide(scene.client, told.json["id"], "allow")
        assert ended["output"] == {"status": 200, "body": {"reviewed": 42}}
        assert (scene.asked, len(scene.prompts)) == ({DIFF: 1, COMMENTS: 1}, 1)
        assert scene.request(COMMENTS).headers["authorization"] == "Bearer github-token-of-the-test"
        replayed = await scene.client("POST", f"/sessions/{told.json['id']}/replay")
        assert (replayed.status, replayed.json["output"]) == (201, ended["output"])
        assert (scene.asked, len(scene.prompts)) == ({DIFF: 1, COMMENTS: 1}, 1)


@pytest.mark.parametrize(("agent", "policy"), AGENTS)
async def test_a_review_that_is_refused_is_not_published(agent: str, policy: str, tmp_path: Path) -> None:
    async with _gated(agent, policy, tmp_path) as (scene, _):
        paused = (await scene.github("pull_request_opened")).json
        ended = await _decide(scene.client, paused["id"], "deny")
        assert (ended["status"], scene.asked) == ("failed", {DIFF: 1})
        assert "policy: `http` denied" in ended["error"]


async def test_the_webhook_agent_posts_nowhere_but_where_its_policy_says(tmp_path: Path) -> None:
    def elsewhere(body: Any) -> None:
        body["pull_request"]["comments_url"] = body["pull_request"]["comments_url"].replace("/repos/", "/other/")

    async with _gated("webhook.ts", "webhook.json", tmp_path) as (scene, _):
        told = await scene.github("pull_request_opened", elsewhere)
        assert (told.status, scene.asked) == (500, {DIFF: 1})
        assert "policy: `http` denied (CHIDORI_POLICY: the default)" in told.json["error"]


async def test_a_page_does_not_wait_for_the_webhook_agent_s_approver(tmp_path: Path) -> None:
    async with _gated("webhook.ts", "webhook.json", tmp_path) as (scene, _):
        told = await scene.alert(orjson.dumps(CRITICAL))
        assert (told.status, told.json["severity"]) == (200, "critical"), told.body
        assert scene.asked == {**dict.fromkeys(TOOLS, 1), PAGER: 1}


async def test_a_page_of_the_integrations_waits_below_its_tool_and_nothing_is_read_again(tmp_path: Path) -> None:
    async with _gated("integrations.star", "integrations.json", tmp_path) as (scene, _):
        told = await scene.alert(orjson.dumps(CRITICAL))
        assert (told.status, told.json["status"]) == (202, "awaitingapproval"), told.body
        assert "/" in told.json["pending"][0]["path"]
        assert scene.asked == dict.fromkeys(TOOLS, 1)
        ended = await _decide(scene.client, told.json["id"], "allow")
        assert ended["output"]["body"]["severity"] == "critical"
        assert (scene.asked, len(scene.prompts)) == ({**dict.fromkeys(TOOLS, 1), PAGER: 1}, 1)


def _example(name: str) -> Policy:
    return Policy.load(load_settings({"CHIDORI_POLICY_FILE": str(POLICIES / name)}))


@pytest.mark.parametrize("file", sorted(POLICIES.glob("*.json")), ids=lambda file: file.name)
def test_every_example_can_be_read_and_denies_what_it_does_not_name(file: Path) -> None:
    example = _example(file.name)
    for target in ("memory", "call_agent", "tool:other", "env:HOME"):
        assert example.decide(target, {"name": "HOME"}).decision == "deny"
    assert example.decide("http", {"method": "DELETE", "url": "https://api.github.com/repos/a/b"}).decision == "deny"


def test_the_sandbox_s_example_allows_the_sandboxes_alone() -> None:
    example = _example("sandbox.json")
    for target in ("exec:js", "exec:python", "exec:wasm"):
        assert example.decide(target, {}).decision == "allow"
    assert example.decide("http", {"method": "GET", "url": "https://example.com/"}).decision == "deny"


@pytest.mark.parametrize(("_agent", "policy"), AGENTS)
def test_the_examples_bind_what_is_secret_to_hosts(_agent: str, policy: str) -> None:
    example = _example(policy)
    for name, host in (("GITHUB_TOKEN", "api.github.com"), ("PAGER_ROUTING_KEY", "events.pagerduty.com")):
        assert example.hosts_for(name) == (host,)
        assert example.decide(f"env:{name}", {"name": name, "reveal": True}).decision == "deny"


# -- profiles of sessions ---------------------------------------------------------------------------------------------

FETCHES = """
export async function agent(input: any, chidori: any) {
  await chidori.http(input.url + "/before");
  return await chidori.tryCall(() => chidori.http(input.url + "/gated", { method: "POST", body: input.body ?? null }));
}
"""
ONLY_GATED = """
export async function agent(input: any, chidori: any) {
  const name = await chidori.input("Go on?");
  return await chidori.tryCall(() => chidori.http(input.url + "/gated", { method: "POST" }));
}
"""
GATE = orjson.dumps(
    {"rules": [{"target": "http", "decision": "ask_before", "match_args": {"method": "POST"}}]}
).decode()


@asynccontextmanager
async def _served(
    folder: Path, source: str, *options: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[ServerProcess, Client]]:
    agent = write_agent(folder, source)
    async with server_process(agent, {**LOCAL, **(environ or {})}, *options) as server, ClientSession() as session:
        yield server, Client(server.url, session)


async def _create(client: Client, session: str, value: Any, **fields: Any) -> Any:
    body = {"input": value, "session_id": session, **fields}
    told = await client("POST", "/sessions", json=body)
    assert told.status == 201, told.body
    return told.json


async def test_a_session_may_only_tighten_what_the_server_allows(tmp_path: Path) -> None:
    async with gate() as target:
        target.open("/before")
        for number, (option, profile, reason) in enumerate(
            (
                ("--untrusted", "supervised", "--untrusted denies"),
                ("--untrusted", "trusted", "--untrusted denies"),
                ("--trusted", "untrusted", "the session's policy_profile `untrusted` denies"),
                ("--supervised", "untrusted", "the session's policy_profile `untrusted` denies"),
                ("--supervised", "trusted", "--supervised asks before"),
                ("--trusted", "supervised", "the session's policy_profile `supervised` asks before"),
            )
        ):
            folder = tmp_path / str(number)
            folder.mkdir()
            async with _served(folder, FETCHES, option) as (_, client):
                view = await _create(client, "s", {"url": target.url}, policy_profile=profile)
                said = view["error"] or view["pending_prompt"]
                assert reason in said
                assert view["status"] == ("awaitingapproval" if "asks" in reason else "failed")
        assert target.asked == []


async def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    async with _served(tmp_path, FETCHES) as (_, client):
        for wrong in ("root", "Supervised", "supervised\n", "", 1):
            told = await client("POST", "/sessions", json={"input": {}, "policy_profile": wrong})
            assert told.status == 422, told.body
        assert (await client("GET", "/sessions")).json["sessions"] == []


async def test_the_profile_of_a_session_holds_after_a_restart_and_so_does_that_of_the_new_server(
    tmp_path: Path,
) -> None:
    agent = write_agent(tmp_path, ONLY_GATED)
    value = {"url": "http://127.0.0.1:9"}
    async with ClientSession() as http:
        async with server_process(agent, LOCAL, "--trusted") as server:
            client = Client(server.url, http)
            await _create(client, "supervised", value, policy_profile="supervised")
            await _create(client, "untrusted", value, policy_profile="untrusted")
            await _create(client, "free", value)
        async with server_process(agent, LOCAL, "--supervised") as server:
            client = Client(server.url, http)
            told = {}
            for session in ("supervised", "untrusted", "free"):
                answer = await client("POST", f"/sessions/{session}/resume", json={"response": "yes"})
                told[session] = answer.json
            assert told["free"]["pending_approval"]["reason"].startswith("--supervised asks")
            assert told["supervised"]["pending_approval"]["reason"].startswith("--supervised asks")
            assert "`untrusted` denies" in told["untrusted"]["output"]["error"]
            branch = await client("POST", "/sessions/untrusted/branch", json={"at": 1, "result": "no"})
            assert "`untrusted` denies" in branch.json["output"]["error"]
        async with server_process(agent, LOCAL, "--untrusted") as server:
            client = Client(server.url, http)
            denied = await _decide(client, "free", "allow")
            assert "--untrusted denies" in denied["output"]["error"]
        async with server_process(agent, LOCAL) as server:
            client = Client(server.url, http)
            view = (await client("GET", "/sessions/supervised")).json
            assert view["status"] == "awaitingapproval"
            answered = await _decide(client, "supervised", "deny")
            assert "the session's policy_profile `supervised` asks" in answered["output"]["error"]


async def test_records_that_a_session_begins_with_are_not_asked_for_again(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, FETCHES, environ={"CHIDORI_POLICY": GATE}) as (_, client):
        target.open("/before")
        value = {"url": target.url}
        await _create(client, "first", value)
        log = (await client("GET", "/sessions/first/checkpoint")).json["call_log"]
        again = await _create(client, "again", value, replay_from=log, policy_profile="untrusted")
        assert "`untrusted` denies" in again["output"]["error"]
        assert target.asked == ["/before"]


async def test_the_client_asks_for_a_profile_and_approves(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, ONLY_GATED) as (server, _):
        target.open("/gated")

        def use() -> Any:
            session = AgentClient(server.url).run({"url": target.url}, policy_profile="supervised").resume("yes")
            assert (session.status, target.asked) == ("awaitingapproval", [])
            return session.approve(True).output

        output = await asyncio.to_thread(use)
        assert output["value"]["status"] == 200
        assert target.asked == ["/gated"]


# -- approvals ----


async def test_approving_two_sessions_at_once_makes_each_of_their_calls_once(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, FETCHES, environ={"CHIDORI_POLICY": GATE}) as (_, client):
        target.open("/before")
        names = ("a", "b")
        for name in names:
            assert (await _create(client, name, {"url": target.url}))["status"] == "awaitingapproval"
        approving = [asyncio.create_task(_decide(client, name, "allow")) for name in names]
        await within(SECONDS, target.until_asked("/gated", 2))
        target.open("/gated")
        ended = [await within(SECONDS, task) for task in approving]
        assert [view["output"]["value"]["status"] for view in ended] == [200, 200]
        assert sorted(target.asked) == ["/before", "/before", "/gated", "/gated"]


async def test_the_same_question_is_answered_once_of_two_at_once(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, FETCHES, environ={"CHIDORI_POLICY": GATE}) as (_, client):
        target.open("/before")
        target.open("/gated")
        await _create(client, "s", {"url": target.url})
        body = {"decision": "allow"}
        told = await asyncio.gather(*(client("POST", "/sessions/s/approve", json=body) for _ in range(2)))
        assert sorted(one.status for one in told) == [200, 409]
        assert target.asked == ["/before", "/gated"]


async def test_a_kill_between_the_approval_and_the_end_of_the_call_asks_nobody_again(tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, FETCHES, environ={"CHIDORI_POLICY": GATE}) as (server, client):
        target.open("/before")
        await _create(client, "s", {"url": target.url})
        approving = asyncio.create_task(client("POST", "/sessions/s/approve", json={"decision": "allow"}))
        await within(SECONDS, target.until_asked("/gated"))
        await server.kill()
        await asyncio.wait([approving])
        assert approving.exception() is not None
        await server.start()
        await within(SECONDS, target.until_asked("/gated", 2))
        target.open("/gated")
        async with client.session.get(f"{client.url}/sessions/s/stream") as stream:
            await within(SECONDS, stream.read())
        view = (await client("GET", "/sessions/s")).json
        assert (view["status"], view["output"]["value"]["status"]) == ("completed", 200)
        assert target.asked == ["/before", "/gated", "/gated"]


AT_ONCE = """
export async function agent(input: any, chidori: any) {
  const post = (body: any) => chidori.tryCall(() => chidori.http(input.url + "/gated", { method: "POST", body }));
  const all = await chidori.parallel([() => post(1), () => post(1), () => post(2), () => post(1)]);
  return all.map((one: any) => one.ok);
}
"""


@pytest.mark.parametrize(("decision", "ok"), [("allow", True), ("deny", False)])
async def test_one_answer_is_for_all_that_wait_for_the_same(decision: str, ok: bool, tmp_path: Path) -> None:
    async with gate() as target, _served(tmp_path, AT_ONCE, environ={"CHIDORI_POLICY": GATE}) as (_, client):
        target.open("/gated")
        paused = await _create(client, "s", {"url": target.url})
        assert len(paused["pending"]) == 4
        one, other = (next(q["seq"] for q in paused["pending"] if q["args"]["body"] == body) for body in (1, 2))
        body = {"decision": decision, "seq": one}
        view = (await client("POST", "/sessions/s/approve", json=body)).json
        assert [question["seq"] for question in view["pending"]] == [other]
        assert len(target.asked) == (3 if ok else 0)
        ended = await _decide(client, "s", "allow")
        assert ended["output"] == [ok, ok, True, ok]


REDIRECTS = """
export async function agent(input: any, chidori: any) {
  return (await chidori.http(input.url + "/from")).body;
}
"""


async def test_a_redirect_needs_an_approval_too(tmp_path: Path) -> None:
    async def handle(request: web.Request) -> web.StreamResponse:
        if request.path == "/from":
            raise web.HTTPFound("/to")
        return web.json_response("there")

    async with serve(handle) as around, _served(tmp_path, REDIRECTS, "--supervised") as (_, client):
        await _create(client, "alone", {"url": around.url})
        alone = await _decide(client, "alone", "allow")
        assert "policy: `http` requires approval (--supervised asks" in alone["error"]
        assert [request.path for request in around.received] == ["/from"]


@pytest.mark.parametrize(
    ("decision", "allowed"), [("allow", True), ("yes", True), ("all", True), ("no", False), ("Allow", False)]
)
async def test_the_choices_of_a_question_are_answers_and_all_else_denies(
    decision: str, allowed: bool, tmp_path: Path
) -> None:
    async with gate() as target, _served(tmp_path, FETCHES, environ={"CHIDORI_POLICY": GATE}) as (_, client):
        target.open("/before")
        target.open("/gated")
        view = await _create(client, "s", {"url": target.url})
        assert view["pending"][0]["choices"] == ["yes", "all", "no"]
        output = (await _decide(client, "s", decision))["output"]
        assert ("/gated" in target.asked, "not approved" in str(output)) == (allowed, not allowed)
