"""Events from outside at the real server: who gets in, what the agent sees, what is answered, and which sessions."""

import asyncio
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import FormData, web

from chidori_actors.front_door.signatures import github_signature, slack_signature
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import write_agent
from tests.support.http_server import serve

ECHO = "export async function agent(input) { return { body: input.event }; }"
# Waits for nobody, asks a person, or fails, as the body says.
MANNERS = """
export async function agent({ event }, chidori) {
  if (event.body.ask) {
    return { body: await chidori.input("Really?", { choices: ["yes", "no"] }) };
  }
  if (event.body.fail) {
    throw new Error("it went wrong");
  }
  return event.body.answer;
}
"""


@pytest.fixture
def hooks(tmp_path: Path) -> str:
    path = tmp_path / "hooks.json"
    path.write_bytes(
        orjson.dumps(
            {
                "/github": {"kind": "github", "secret": "github-secret"},
                "/slack": {"kind": "slack", "secret": "slack-secret"},
                "/ci": {"kind": "bearer", "secret": "ci-secret"},
                "/open/*": {"kind": "open"},
            }
        )
    )
    return str(path)


async def sessions_of(client: Client, **headers: str) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = (await client("GET", "/sessions", headers=headers)).json["sessions"]
    return listed


async def test_the_agent_gets_the_request_and_its_answer_is_sent(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path) as client:
        told = await client("PUT", "/any/path%20x?a=1&b=2&a=3", headers=[("X-A", "1"), ("x-a", "2")], data=b'{"n": 1}')

    assert (told.status, told.headers["Content-Type"]) == (200, "application/json")
    event = told.json
    assert event["headers"].pop("x-a") == "2"
    assert event.pop("headers")["host"].startswith("127.0.0.1:")
    assert event == {
        "method": "PUT",
        "path": "/any/path x",
        "query": {"a": "3", "b": "2"},
        "body": {"n": 1},
        "raw": "eyJuIjogMX0=",
    }


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"])
async def test_every_method_is_an_event(method: str, tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path) as client:
        assert (await client(method, "/x")).json["method"] == method


async def test_a_form_is_a_dictionary_and_bytes_are_text_and_raw(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path) as client:
        form = await client("POST", "/x", data=FormData({"text": "a b&ü"}))
        binary = await client("POST", "/x", data=b"\x00\xff", headers={"Content-Type": "application/json"})
        nothing = await client("POST", "/x")

    assert form.json["body"] == {"text": "a b&ü"}
    assert (binary.json["body"], binary.json["raw"]) == ("\0\ufffd", "AP8=")
    assert (nothing.json["body"], nothing.json["raw"]) == ("", "")


async def test_an_answer_has_the_agent_s_status_headers_and_body(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, MANNERS), tmp_path) as client:
        teapot = {"status": 418, "headers": {"X-Pot": "short", "Content-Length": "1"}, "body": "stout"}
        given = await client("POST", "/x", json={"answer": teapot})
        plain = {"headers": {"Content-Type": "text/plain"}, "body": "as it stands"}
        text = await client("POST", "/x", json={"answer": plain})
        whole = await client("POST", "/x", json={"answer": {"status": 418}})
        empty = await client("POST", "/x", json={"answer": {"status": 204, "body": None}})
        wrong = await client("POST", "/x", json={"answer": {"status": 42, "body": 1}})

    assert (given.status, given.headers["X-Pot"], given.body) == (418, "short", b'"stout"')
    assert (text.status, text.headers["Content-Type"], text.body) == (200, "text/plain", b"as it stands")
    assert (whole.status, whole.json) == (200, {"status": 418})
    assert (empty.status, empty.body) == (204, b"")
    assert wrong.status == 500
    assert wrong.json == {"error": "the agent's `status` must be a whole number from 200 to 599, not 42"}


async def test_a_failed_agent_is_500_and_a_session_that_can_be_looked_at(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, MANNERS), tmp_path) as client:
        told = await client("POST", "/x", json={"fail": True})
        [session] = await sessions_of(client)
        checkpoint = (await client("GET", f"/sessions/{session['id']}/checkpoint")).json

    assert told.status == 500
    assert told.json.keys() == {"error"}
    assert "it went wrong" in told.json["error"]
    assert "agent.ts:7" in told.json["error"]
    assert (session["status"], session["error"]) == ("failed", told.json["error"])
    assert checkpoint["input"]["event"]["body"] == {"fail": True}


async def test_a_question_is_202_and_the_session_goes_on_when_it_is_answered(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, MANNERS), tmp_path) as client:
        told = await client("POST", "/x", json={"ask": True}, headers={"X-GitHub-Delivery": "d-1"})
        session = told.json
        resumed = await client("POST", f"/sessions/{session['id']}/resume", json={"response": "yes"})
        again = await client("POST", "/x", json={"ask": True}, headers={"X-GitHub-Delivery": "d-1"})

    assert (told.status, session["status"], session["pending_prompt"]) == (202, "paused", "Really?")
    assert session["pending"][0]["choices"] == ["yes", "no"]
    assert resumed.json["output"] == {"body": "yes"}
    assert (again.status, again.body) == (200, b'"yes"')


@pytest.mark.parametrize("path", ["/favicon.ico", "/robots.txt", "/.well-known/x", "/.well-known", "/.well-known/"])
async def test_what_browsers_ask_for_by_themselves_runs_nothing(path: str, tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path) as client:
        told = await client("GET", path)
        assert (told.status, list(told.json)) == (404, ["error"])
        assert await sessions_of(client) == []
        assert (await client("GET", f"/sub{path}")).status == 200


async def test_a_signature_lets_in_and_nothing_else_makes_a_session(hooks: str, tmp_path: Path) -> None:
    body = b'{"zen": "x"}'
    async with serving(write_agent(tmp_path, ECHO), tmp_path, {"CHIDORI_WEBHOOKS": hooks}) as client:

        async def github(signature: str, data: bytes = body) -> int:
            headers = {"X-Hub-Signature-256": signature}
            return (await client("POST", "/github", data=data, headers=headers)).status

        async def slack(at: float, secret: str = "slack-secret", data: bytes = b"command=%2Fa") -> int:
            signature = slack_signature(secret, str(int(at)), b"command=%2Fa")
            headers = {"X-Slack-Signature": signature, "X-Slack-Request-Timestamp": str(int(at))}
            return (await client("POST", "/slack", data=data, headers=headers)).status

        refused = [
            await github(github_signature("another-secret", body)),
            await github(github_signature("github-secret", body), b'{"zen": "y"}'),
            (await client("POST", "/github", data=body)).status,
            (await client("GET", "/github")).status,
            await slack(time.time(), "another-secret"),
            await slack(time.time(), data=b"command=%2Fb"),
            await slack(time.time() - 400),
            await slack(time.time() + 400),
            (await client("POST", "/ci", data=body)).status,
            (await client("POST", "/ci", data=body, headers={"Authorization": "Bearer another"})).status,
        ]
        assert refused == [401] * len(refused)
        assert await sessions_of(client) == []

        let_in = [
            await github(github_signature("github-secret", body)),
            await slack(time.time()),
            (await client("POST", "/ci", data=body, headers={"Authorization": "Bearer ci-secret"})).status,
            (await client("POST", "/open/x", data=body)).status,
            (await client("POST", "/elsewhere", data=body)).status,
        ]
        assert let_in == [200] * len(let_in)
        assert len(await sessions_of(client)) == len(let_in)


async def test_with_an_api_key_only_paths_with_an_entry_do_without_it(hooks: str, tmp_path: Path) -> None:
    environ = {"CHIDORI_WEBHOOKS": hooks, "CHIDORI_API_KEY": "api-key"}
    key = {"Authorization": "Bearer api-key"}
    async with serving(write_agent(tmp_path, ECHO), tmp_path, environ) as client:
        assert (await client("POST", "/open/x")).status == 200
        without = await client("POST", "/elsewhere")
        assert (without.status, without.headers["WWW-Authenticate"]) == (401, "Bearer")
        assert (await client("POST", "/elsewhere", headers=key)).status == 200
        # The API's key is not the path's.
        assert (await client("POST", "/ci", headers=key)).status == 401
        assert len(await sessions_of(client, **key)) == 2


async def test_our_own_credentials_reach_no_agent_and_no_record(hooks: str, tmp_path: Path) -> None:
    environ = {"CHIDORI_WEBHOOKS": hooks, "CHIDORI_API_KEY": "api-key"}
    async with serving(write_agent(tmp_path, ECHO), tmp_path, environ) as client:
        api = await client("POST", "/elsewhere", headers={"Authorization": "Bearer api-key"})
        ci = await client("POST", "/ci", headers={"Authorization": "Bearer ci-secret"})
        theirs = await client("POST", "/open/x", headers={"Authorization": "Bearer of-the-sender"})

    assert "authorization" not in api.json["headers"]
    assert "authorization" not in ci.json["headers"]
    assert theirs.json["headers"]["authorization"] == "Bearer of-the-sender"


@pytest.mark.parametrize("header", ["X-GitHub-Delivery", "Idempotency-Key"])
async def test_a_delivery_that_was_seen_gives_the_first_answer_again(header: str, tmp_path: Path) -> None:
    agent = "export async function agent({event}) { return { status: 201, body: [Math.random(), event.body] }; }"
    async with serving(write_agent(tmp_path, agent), tmp_path) as client:

        async def deliver(delivery: str, path: str = "/x", body: str = "a") -> bytes:
            told = await client("POST", path, data=body, headers={header: delivery})
            assert told.status == 201
            return told.body

        first = await deliver("d-1")
        assert await deliver("d-1") == first
        assert len({first, await deliver("d-2"), await deliver("d-1", "/y")}) == 3
        assert len(await sessions_of(client)) == 3
        # A client of the sessions API that has the same key means something else.
        made = await client("POST", "/sessions", json={"input": {"event": {}}}, headers={"Idempotency-Key": "d-1"})
        assert (made.status, len(await sessions_of(client))) == (201, 4)

    async with serving(tmp_path / "agent.ts", tmp_path) as client:
        told = await client("POST", "/x", data="a", headers={header: "d-1"})
        assert (told.status, told.body) == (201, first)


async def test_slack_s_repetition_while_the_first_is_under_way_waits_for_its_answer(hooks: str, tmp_path: Path) -> None:
    arrived, go_on = asyncio.Event(), asyncio.Event()

    async def slow(request: web.Request) -> web.StreamResponse:
        arrived.set()
        await go_on.wait()
        return web.json_response("done")

    agent = """
        export async function agent({ event }, chidori) {
          const seen = await chidori.http(event.body.url);
          return { body: [seen.body, Math.random()] };
        }
    """
    async with serve(slow) as server:
        environ = {"CHIDORI_WEBHOOKS": hooks, "CHIDORI_HTTP_ALLOW_HOSTS": "127.0.0.1"}
        async with serving(write_agent(tmp_path, agent), tmp_path, environ) as client:
            body = orjson.dumps({"type": "event_callback", "event_id": "Ev01", "url": server.url})

            async def deliver(at: int, **headers: str) -> bytes:
                headers |= {"X-Slack-Signature": slack_signature("slack-secret", str(at), body)}
                headers |= {"X-Slack-Request-Timestamp": str(at)}
                told = await client("POST", "/slack", data=body, headers=headers)
                assert told.status == 200
                return told.body

            now = int(time.time())
            first = asyncio.create_task(deliver(now))
            await arrived.wait()
            again = asyncio.create_task(deliver(now + 1, **{"X-Slack-Retry-Num": "1"}))
            assert len(await sessions_of(client)) == 1
            go_on.set()
            assert await first == await again
            assert len(await sessions_of(client)) == 1
    assert len(server.received) == 1


async def test_a_body_that_is_too_large_is_413_and_no_session(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path, {"CHIDORI_MAX_BODY_BYTES": "1000"}) as client:
        assert (await client("POST", "/x", data=b"x" * 1000)).status == 200
        told = await client("POST", "/x", data=b"x" * 1001)
        assert (told.status, list(told.json)) == (413, ["error"])
        assert len(await sessions_of(client)) == 1


async def test_what_cannot_be_kept_is_422_and_no_session(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ECHO), tmp_path) as client:
        told = await client("POST", "/x", data=b"[" * 400 + b"]" * 400)
        assert told.status == 422
        assert "the body cannot be taken" in told.json["error"]
        assert await sessions_of(client) == []
