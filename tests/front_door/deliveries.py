"""Deliveries as GitHub, Slack and Alertmanager send them, and the services that an agent calls because of them."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from aiohttp import ClientSession, web

from chidori_actors.front_door.signatures import github_signature, slack_signature
from tests.front_door.small_app import Client, Told
from tests.support.examples import ROOT, asking
from tests.support.http_server import Handler, LocalServer, Received, serve
from tests.support.openai_server import OpenAIServer
from tests.support.server import ServerProcess, server_process

DELIVERIES = ROOT / "agents" / "data" / "webhooks"
POLICY = ROOT / "agents" / "policies" / "webhook.json"
GITHUB_SECRET, SLACK_SECRET, ALERT_TOKEN = "github-secret-of-the-test", "slack-secret-of-the-test", "alerts-of-the-test"
TOKENS = {
    "GITHUB_TOKEN": "github-token-of-the-test",
    "SLACK_BOT_TOKEN": "slack-token-of-the-test",
    "PAGER_ROUTING_KEY": "routing-key-of-the-test",
}
CRITICAL = {"severity": "critical", "service": "checkout"}
"""An alert of the plainest kind."""
TOOLS = ("/prometheus/api/v1/query", "/deploys/deploys", "/alertmanager/api/v2/alerts")
"""The services that are asked for each alert."""
RECENT = "9999-01-01T00:00:00Z"
SERVICES: dict[str, Any] = {
    "/prometheus/api/v1/query": {
        "status": "success",
        "data": {"resultType": "vector", "result": [{"metric": {"instance": "i-1"}, "value": [1770111672.1, "7.25"]}]},
    },
    "/deploys/deploys": [{"version": "v2026.02.03-2", "at": "2026-02-03T09:31:00Z"}],
    "/alertmanager/api/v2/alerts": [
        {"labels": {"alertname": "SlowQueries"}, "annotations": {}, "startsAt": RECENT, "fingerprint": "1"},
        {"labels": {"alertname": "LastYearsOne"}, "annotations": {}, "startsAt": "2020-01-01T00:00:00Z"},
    ],
    "/pager/v2/enqueue": {"status": "success", "dedup_key": "chidori/checkout"},
    "/slack/conversations.replies": {
        "ok": True,
        "messages": [{"user": "U1", "text": "It is down."}, {"user": "U2", "text": "I roll back."}],
    },
    "/slack/conversations.history": {
        "ok": True,
        "messages": [{"user": "U2", "text": "Newest."}, {"user": "U1", "text": "Oldest."}],
    },
}


async def services(request: web.Request) -> web.StreamResponse:
    """Every service that the agent calls, by path."""
    if request.path.endswith(".diff"):
        return web.Response(text="--- a/hello.py\n+++ b/hello.py\n+print('Salut')")
    known = SERVICES.get(request.path)
    return web.json_response({"created": True} if known is None else known, status=201 if known is None else 200)


@dataclass(frozen=True)
class Scene:
    """The served agent, its model and the services around it."""

    client: Client
    model: OpenAIServer
    around: LocalServer

    async def github(self, name: str, change: Callable[[Any], None] = lambda body: None) -> Told:
        """Deliver one of GitHub's payloads, its API's addresses replaced by those of the test."""
        text = (DELIVERIES / f"github_{name}.json").read_text(encoding="utf-8")
        for host in ("https://api.github.com", "https://github.com"):
            text = text.replace(host, self.around.url)
        body = orjson.loads(text)
        change(body)
        data = orjson.dumps(body)
        headers = headers_of(f"github_{name}") | {"X-Hub-Signature-256": github_signature(GITHUB_SECRET, data)}
        return await self.client("POST", "/github", data=data, headers=headers)

    async def slack(self, name: str, data: bytes) -> Told:
        at = str(int(time.time()))
        signature = slack_signature(SLACK_SECRET, at, data)
        headers = headers_of(name) | {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": at}
        return await self.client("POST", "/slack", data=data, headers=headers)

    async def alert(self, data: bytes) -> Told:
        headers = headers_of("alertmanager_firing") | {"Authorization": f"Bearer {ALERT_TOKEN}"}
        return await self.client("POST", "/alert", data=data, headers=headers)

    @property
    def prompts(self) -> list[str]:
        return list(self.model.prompts.elements())

    def request(self, path: str) -> Received:
        """The one request that a service got at that path."""
        [found] = [request for request in self.around.received if urlsplit(request.path).path == path]
        return found

    async def sessions(self) -> list[str]:
        return [one["id"] for one in (await self.client("GET", "/sessions")).json["sessions"]]

    async def checkpoint(self) -> bytes:
        """The checkpoint of the only session."""
        [session] = await self.sessions()
        return (await self.client("GET", f"/sessions/{session}/checkpoint")).body

    @property
    def asked(self) -> dict[str, int]:
        """How often each service was asked, by path."""
        paths = [urlsplit(request.path).path for request in self.around.received]
        return {path: paths.count(path) for path in paths}

    async def exported(self) -> bytes:
        """Everything that the store has of every session."""
        found = [await self.client("GET", f"/sessions/{id_}/checkpoint") for id_ in await self.sessions()]
        return b"\n".join(told.body for told in found)


def headers_of(name: str) -> dict[str, str]:
    lines = (DELIVERIES / f"{name}.headers.txt").read_text(encoding="utf-8").splitlines()
    return dict(line.split(": ", 1) for line in lines)


def bytes_of(name: str) -> bytes:
    return (DELIVERIES / name).read_bytes()


def environ_of(model: OpenAIServer, around: LocalServer, policy_file: Path | None = None) -> dict[str, str]:
    """What a server needs to run the agents of `agents/` that take events, between that model and these services, which
    take the places of those that the policy names. Without a policy, only what is said of secrets is taken of one."""
    text = (policy_file or POLICY).read_text(encoding="utf-8")
    for service, place in (("https://api.github.com", ""), ("https://events.pagerduty.com", "/pager")):
        text = text.replace(service, around.url + place)
    policy = orjson.loads(text)
    if policy_file is None:
        policy = {"rules": [rule for rule in policy["rules"] if rule["target"].startswith("env:")]}
    for rule in policy["rules"]:
        if "hosts" in rule:
            rule["hosts"] = [f"127.0.0.1:{around.port}"]
    return {
        **asking(model),
        **TOKENS,
        "CHIDORI_MODEL": "a-model",
        "CHIDORI_WEBHOOKS": str(DELIVERIES / "paths.json"),
        "CHIDORI_POLICY": orjson.dumps(policy).decode(),
        "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1",
        "GITHUB_WEBHOOK_SECRET": GITHUB_SECRET,
        "SLACK_SIGNING_SECRET": SLACK_SECRET,
        "ALERT_TOKEN": ALERT_TOKEN,
        "SLACK_API_URL": f"{around.url}/slack",
        "PROMETHEUS_URL": f"{around.url}/prometheus",
        "DEPLOYS_URL": f"{around.url}/deploys",
        "ALERTMANAGER_URL": f"{around.url}/alertmanager",
        "PAGER_URL": f"{around.url}/pager",
    }


@asynccontextmanager
async def scene_of(
    agent: Path, folder: Path, handler: Handler = services, policy_file: Path | None = None
) -> AsyncIterator[tuple[Scene, ServerProcess]]:
    """The agent behind ``chidori serve``, its store in ``folder``; ``handler`` is the services."""
    async with OpenAIServer() as model, serve(handler) as around:
        environ = environ_of(model, around, policy_file) | {"CHIDORI_DB_PATH": str(folder / "served")}
        async with server_process(agent, environ) as process, ClientSession() as session:
            yield Scene(Client(process.url, session), model, around), process
