"""Every operation: what is sent, and what comes back."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.client import AgentFile, Cancellation, Checkpoint, ClientError, Invalid, SessionSummary

from .both import Connect
from .script import as_json, as_stream, body, frame, lines, scripted, view


async def test_run_starts_a_session_with_a_key_and_returns_it(client_of: Connect) -> None:
    async with scripted(as_json(view("s1", output={"n": 7}, input={"topic": "é"}), 201)) as server:
        session = await client_of(server.url).call("run", {"topic": "é"}, session_id="s1", agent="b.ts")
    assert (session.id, session.run_id, session.status, session.output) == ("s1", "s1", "completed", {"n": 7})
    assert session.input == {"topic": "é"}
    assert lines(server) == ["POST /sessions"]
    assert body(server, 0) == {"input": {"topic": "é"}, "session_id": "s1", "agent": "b.ts"}
    assert server.received[0].headers["idempotency-key"]
    assert "prefer" not in server.received[0].headers
    assert "authorization" not in server.received[0].headers


async def test_run_without_waiting_asks_for_the_running_session(client_of: Connect) -> None:
    async with scripted(as_json(view("s1", "running"), 202)) as server:
        session = await client_of(server.url).call("run", None, wait=False, policy_profile="untrusted")
    assert session.status == "running"
    assert server.received[0].headers["prefer"] == "respond-async"
    assert body(server, 0)["input"] is None
    assert body(server, 0)["policy_profile"] == "untrusted"


async def test_the_same_key_sends_the_same_request(client_of: Connect) -> None:
    answers = (as_json(view("s1"), 201), as_json(view("s1"), 201), as_json(view("s2"), 201))
    async with scripted(*answers) as server:
        client = client_of(server.url)
        for key in ("k1", "k1", None):
            await client.call("run", {"a": 1}, idempotency_key=key)
    keys = [request.headers["idempotency-key"] for request in server.received]
    assert keys[:2] == ["k1", "k1"]
    assert keys[2] != "k1"
    assert server.received[0].body == server.received[1].body != server.received[2].body


async def test_run_waits_for_a_session_that_an_earlier_request_started(client_of: Connect) -> None:
    answers = (
        as_json(view("s1", "running"), 201),
        as_stream(frame(1, "call", seq=1), frame(2, "done", id="s1", status="completed", output=5)),
        as_json(view("s1", output=5)),
    )
    async with scripted(*answers) as server:
        session = await client_of(server.url).call("run", {}, idempotency_key="k")
    assert (session.status, session.output) == ("completed", 5)
    assert lines(server) == ["POST /sessions", "GET /sessions/s1/stream", "GET /sessions/s1"]


async def test_a_failed_run_is_a_session_and_no_error(client_of: Connect) -> None:
    async with scripted(as_json(view("s1", "failed", error="a.ts:3:1: boom"), 201)) as server:
        session = await client_of(server.url).call("run", {})
    assert (session.status, session.error) == ("failed", "a.ts:3:1: boom")


def _paused() -> dict[str, Any]:
    questions = [
        {"seq": 2, "path": "2", "kind": "approval", "prompt": "ok?", "target": "http", "args": {"url": "u"}},
        {"seq": 4, "path": "4", "kind": "input", "prompt": "Which?", "choices": ["a", "b"], "default": "a"},
    ]
    approval = {"target": "http", "args": {"url": "u"}, "reason": "ask"}
    return view("s1", "awaitingapproval", pending=questions, pending_seq=2, pending_approval=approval)


async def test_a_session_knows_its_questions_and_answers_them_by_seq(client_of: Connect) -> None:
    answers = (as_json(_paused()), as_json(view("s1", "paused")), as_json(view("s1", output=1)))
    async with scripted(*answers) as server:
        client = client_of(server.url)
        session = await client.call("get_session", "s1")
        approved = await client.of(session, "approve", False)
        resumed = await client.of(session, "resume", "b")
    assert session.pending[0].target == "http"
    assert session.pending[1].choices == ["a", "b"]
    assert session.pending_approval["reason"] == "ask"
    assert (approved.status, resumed.output) == ("paused", 1)
    assert lines(server)[1:] == ["POST /sessions/s1/approve", "POST /sessions/s1/resume"]
    assert body(server, 1) == {"decision": "deny", "seq": 2}
    assert body(server, 2) == {"response": "b", "seq": 4}


async def test_answers_without_seq_leave_the_choice_to_the_server(client_of: Connect) -> None:
    async with scripted(*[as_json(view("s1"))] * 4) as server:
        client = client_of(server.url)
        await client.call("resume", "s1", "yes")
        await client.call("resume", "s1", "yes", seq=3)
        await client.call("approve", "s1", True)
        await client.call("retry", "s1")
    bodies = [body(server, number) for number in range(4)]
    assert bodies == [{"response": "yes"}, {"response": "yes", "seq": 3}, {"decision": "allow"}, {"retry": True}]
    assert lines(server)[3] == "POST /sessions/s1/resume"


async def test_cancel_says_what_was_cancelled(client_of: Connect) -> None:
    answer = {"id": "s1", "status": "cancelled", "active": True, "attempt_number": 1, "reason": "late"}
    async with scripted(as_json(answer)) as server:
        assert await client_of(server.url).call("cancel", "s1", "late") == Cancellation(
            "s1", "cancelled", True, 1, "late"
        )
    assert body(server, 0) == {"reason": "late"}


async def test_branch_sends_a_null_result_but_not_a_missing_one(client_of: Connect) -> None:
    async with scripted(*[as_json(view("s2"), 201)] * 2) as server:
        client = client_of(server.url)
        assert (await client.call("branch", "s1", 4, result=None)).id == "s2"
        await client.call("branch", "s1", 5, error="refused", note="what if")
    assert body(server, 0) == {"at": 4, "result": None}
    assert body(server, 1) == {"at": 5, "error": "refused", "note": "what if"}


async def test_replay_by_id_returns_the_whole_new_session(client_of: Connect) -> None:
    short = {"id": "s2", "replayed_from": "s1", "status": "completed", "output": 9}
    async with scripted(as_json(short, 201), as_json(view("s2", output=9, call_count=3))) as server:
        session = await client_of(server.url).call("replay", "s1")
    assert (session.id, session.replayed_from, session.output, session.call_count) == ("s2", "s1", 9, 3)
    assert lines(server) == ["POST /sessions/s1/replay", "GET /sessions/s2"]


async def test_a_checkpoint_is_saved_loaded_and_replayed(client_of: Connect, tmp_path: Path) -> None:
    log = [{"seq": 1, "function": "log", "args": {"message": "é"}, "result": None}]
    manifest = {"run_id": "s1", "pending": None}
    answer = {"id": "s1", "run_id": "s1", "status": "completed", "input": {"a": 1}, "call_log": log}
    answers = (
        as_json(view("s1")),
        as_json(answer | {"snapshot_manifest": manifest}),
        as_json({"id": "s1", "run_id": "s1", "snapshot_manifest": manifest}),
        as_json(view("s2"), 201),
    )
    file = tmp_path / "run.json"
    async with scripted(*answers) as server:
        client = client_of(server.url)
        checkpoint = await client.of(await client.call("get_session", "s1"), "checkpoint")
        assert await client.call("get_snapshot_manifest", "s1") == manifest
        checkpoint.save(file)
        replayed = await client.call("replay", Checkpoint.load(file), agent="a.ts")
    assert replayed.id == "s2"
    written = orjson.loads(file.read_bytes())
    assert written.pop("status") == "completed"
    assert written == {"session_id": "s1", "input": {"a": 1}, "call_log": log, "snapshot_manifest": manifest}
    sent = body(server, 3)
    assert (sent["input"], sent["replay_from"], sent["agent"]) == ({"a": 1}, log, "a.ts")
    assert sent["session_id"] != "s1"


async def test_list_sessions_reads_page_after_page(client_of: Connect) -> None:
    def page(first: int, last: int, cursor: str | None) -> Any:
        sessions = [view(f"s{number}", created_at=None) for number in range(first, last)]
        return as_json({"sessions": sessions, "next_cursor": cursor})

    async with scripted(page(0, 100, "c/1"), page(100, 130, None)) as server:
        found = [item async for item in client_of(server.url).items("list_sessions", status="completed")]
    assert [session.id for session in found] == [f"s{number}" for number in range(130)]
    assert found[0] == SessionSummary("s0", "completed", None, None, None)
    assert lines(server) == [
        "GET /sessions?status=completed&limit=100",
        "GET /sessions?status=completed&limit=100&cursor=c%2F1",
    ]


async def test_list_sessions_asks_for_no_more_than_the_limit(client_of: Connect) -> None:
    first = as_json({"sessions": [view(f"s{number}") for number in range(100)], "next_cursor": "c"})
    second = as_json({"sessions": [view("s100"), view("s101"), view("s102")], "next_cursor": "d"})
    async with scripted(first, second) as server:
        found = [item async for item in client_of(server.url).items("list_sessions", limit=102)]
    assert len(found) == 102
    assert lines(server) == ["GET /sessions?limit=100", "GET /sessions?limit=2&cursor=c"]


async def test_agents_and_health(client_of: Connect) -> None:
    agents = {"agents": [{"name": "a.ts", "default": True}, {"name": "b.ts", "default": False}]}
    async with scripted(as_json(agents), as_json({"status": "ok"})) as server:
        client = client_of(server.url)
        assert await client.call("agents") == (AgentFile("a.ts", True), AgentFile("b.ts", False))
        assert await client.call("health") == {"status": "ok"}


async def test_the_key_and_the_address_come_from_the_environment(
    client_of: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with scripted(as_json(view("s1")), as_json(view("s1"))) as server:
        monkeypatch.setenv("CHIDORI_URL", f"{server.url}/behind/a proxy/")
        monkeypatch.setenv("CHIDORI_API_KEY", "secret")
        await client_of(None).call("get_session", "ü:1")
        await client_of(server.url, api_key="other").call("get_session", "s1")
    assert lines(server) == ["GET /behind/a%20proxy/sessions/%C3%BC%3A1", "GET /sessions/s1"]
    assert [request.headers["authorization"] for request in server.received] == ["Bearer secret", "Bearer other"]


@pytest.mark.parametrize(
    "url", ["localhost:8080", "ftp://h", "http://", "http://u:p@h", "http://h:99999", "http://h?a=1"]
)
def test_a_malformed_address_is_refused_with_an_example(client_of: Connect, url: str) -> None:
    with pytest.raises(Invalid) as caught:
        client_of(url)
    assert "http://127.0.0.1:8080" in str(caught.value.hint)


def test_a_key_that_no_header_can_carry_is_refused_without_being_shown(client_of: Connect) -> None:
    with pytest.raises(Invalid) as caught:
        client_of("http://h", api_key="top\nsecret")
    assert "secret" not in str(caught.value) + str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "args", "options"),
    [
        ("get_session", ("",), {}),
        ("get_session", ("..",), {}),
        ("cancel", ("a/b",), {}),
        ("cancel", ("stream",), {}),
        ("run", ({"when": object()},), {}),
        ("run", ({},), {"session_id": "a b"}),
        ("run", ({},), {"idempotency_key": "a\r\nb"}),
        ("branch", ("s1", 1), {}),
        ("branch", ("s1", 1), {"result": 1, "error": "x"}),
        ("replay", ("s1",), {"agent": "a.ts"}),
    ],
)
async def test_what_cannot_be_meant_is_refused_before_anything_is_sent(
    client_of: Connect, name: str, args: tuple[Any, ...], options: dict[str, Any]
) -> None:
    async with scripted() as server:
        with pytest.raises(Invalid) as caught:
            await client_of(server.url).call(name, *args, **options)
    assert caught.value.status is None


@dataclass(frozen=True)
class Point:
    x: float


@pytest.mark.parametrize(
    ("name", "args", "options", "fault"),
    [
        ("run", (float("nan"),), {}, "`input` is NaN"),
        ("run", ({"a": [1, (None, float("inf"))]},), {}, "`input.a[1][1]` is Infinity"),
        ("run", ({"a b": -math.inf},), {"wait": False}, '`input["a b"]` is -Infinity'),
        ("run", ({"at": Point(math.nan)},), {}, "`input.at.x` is NaN"),
        ("branch", ("s1", 1), {"result": math.nan}, "`result` is NaN"),
        ("replay", (Checkpoint("s", None, [{"result": math.inf}]),), {}, "`replay_from[0].result` is Infinity"),
    ],
)
async def test_a_number_that_json_cannot_carry_is_refused_with_its_place(
    client_of: Connect, name: str, args: tuple[Any, ...], options: dict[str, Any], fault: str
) -> None:
    async with scripted() as server:
        with pytest.raises(Invalid) as caught:
            await client_of(server.url).call(name, *args, **options)
    assert f"{fault}, which JSON cannot carry" in str(caught.value)
    assert caught.value.status is None


async def test_a_stream_is_not_begun_with_a_number_that_json_cannot_carry(client_of: Connect) -> None:
    async with scripted() as server:
        with pytest.raises(Invalid, match=r"`input\.n` is NaN"):
            [event async for event in client_of(server.url).items("stream", {"n": math.nan})]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("no json", "not a checkpoint"),
        ("[]", "not a checkpoint"),
        ('{"session_id": "s", "call_log": []}', "`input` is missing"),
        ('{"session_id": "s", "input": 1, "call_log": {}}', "`call_log` is not an array"),
        ('{"session_id": 1, "input": 1, "call_log": []}', "`session_id` is not a string"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_refused_with_the_fault(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "x.json"
    file.write_text(text)
    with pytest.raises(ClientError, match=fault):
        Checkpoint.load(file)


def test_a_checkpoint_keeps_what_else_an_exported_file_has(tmp_path: Path) -> None:
    first, second = tmp_path / "a.json", tmp_path / "b.json"
    document: dict[str, Any] = {
        "session_id": "s",
        "input": None,
        "call_log": [],
        "snapshot_manifest": None,
        "bundle": "{}",
        "run": {},
    }
    first.write_bytes(orjson.dumps(document))
    Checkpoint.load(first).save(second)
    assert orjson.loads(second.read_bytes()) == document


def test_a_checkpoint_that_was_downloaded_is_loaded_and_keeps_its_status(tmp_path: Path) -> None:
    downloaded, saved = tmp_path / "a.json", tmp_path / "b.json"
    answer = {"id": "s", "run_id": "s", "status": "failed", "input": 1, "call_log": [], "snapshot_manifest": None}
    downloaded.write_bytes(orjson.dumps(answer))
    checkpoint = Checkpoint.load(downloaded)
    assert (checkpoint.session_id, checkpoint.input) == ("s", 1)
    checkpoint.save(saved)
    assert orjson.loads(saved.read_bytes()) == {
        "session_id": "s",
        "status": "failed",
        "input": 1,
        "call_log": [],
        "snapshot_manifest": None,
    }
    assert Checkpoint.load(saved) == checkpoint


def test_a_checkpoint_with_a_number_that_json_cannot_carry_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ClientError, match=r"`input\[0\]` is NaN"):
        Checkpoint("s", [math.nan], []).save(tmp_path / "x.json")
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_that_cannot_be_read_or_written_says_where(tmp_path: Path) -> None:
    missing = tmp_path / "none" / "x.json"
    with pytest.raises(ClientError, match=r"x\.json cannot be read: No such file"):
        Checkpoint.load(missing)
    with pytest.raises(ClientError, match=r"x\.json: No such file"):
        Checkpoint("s", None, []).save(missing)
