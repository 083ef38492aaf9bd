"""Requests that race each other: one wins, and the others are told."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from chidori_actors.front_door.agents import Agents
from chidori_actors.front_door.cancelling import CancelledSessions
from chidori_actors.front_door.continuing import ContinuedSessions
from chidori_actors.front_door.creating import NewSession, NewSessions
from chidori_actors.front_door.live_runs import Handle, LiveRuns
from chidori_actors.front_door.live_session import LiveSession
from chidori_actors.front_door.metrics import Metrics
from chidori_actors.front_door.run_log import RunLog
from chidori_actors.front_door.sessions import Sessions
from chidori_actors.front_door.slots import Slots
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.runs import RunMeta, run_writes
from tests.front_door.serving import serving
from tests.front_door.small_app import Client, Told
from tests.support.agents import LOCAL, bundle_of, runtime_in, within, write_agent
from tests.support.gate import gate

ROUNDS = 15
SECONDS = 60

ASKS = """
export async function agent(input: any, chidori: any) {
  return await chidori.input("Go on?", { choices: ["yes", "no"] });
}
"""

ASKS_TWICE = """
export async function agent(input: any, chidori: any) {
  const first = await chidori.input("One?");
  const second = await chidori.input("Two?");
  return { first, second };
}
"""

SENDS = """
export async function agent(input: any, chidori: any) {
  const answer = await chidori.http(input.url, { method: "POST", body: {} });
  return answer.body;
}
"""


async def _paused(client: Client, value: Any = None) -> str:
    view = (await client("POST", "/sessions", json={"input": value or {}})).json
    assert view["status"] in ("paused", "awaitingapproval"), view
    return f"/sessions/{view['id']}"


async def _race(client: Client, session: str, *requests: tuple[str, Any]) -> list[Told]:
    answers = await asyncio.gather(*(client("POST", f"{session}/{action}", json=body) for action, body in requests))
    return list(answers)


async def test_of_many_answers_one_is_taken(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        for _ in range(ROUNDS):
            session = await _paused(client)
            bodies = [{"response": "yes"}, {"response": "no"}] * 5
            told = await within(SECONDS, _race(client, session, *(("resume", body) for body in bodies)))
            assert Counter(answer.status for answer in told) == {200: 1, 409: 9}
            won = next(body for body, answer in zip(bodies, told, strict=True) if answer.status == 200)
            view = (await client("GET", session)).json
            assert (view["status"], view["output"]) == ("completed", won["response"])


async def test_of_answers_and_cancels_one_wins(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        won: Counter[str] = Counter()
        for number in range(2 * ROUNDS):
            session = await _paused(client)
            requests = [("resume", {"response": "yes"}), ("cancel", {"reason": "enough"})] * 4
            if number % 2:
                requests.reverse()
            told = await within(SECONDS, _race(client, session, *requests))
            assert Counter(answer.status for answer in told) == {200: 1, 409: 7}, [answer.json for answer in told]
            winner = next(action for (action, _), answer in zip(requests, told, strict=True) if answer.status == 200)
            won[winner] += 1
            view = (await client("GET", session)).json
            assert view["status"] == ("completed" if winner == "resume" else "cancelled")
        assert set(won) == {"resume", "cancel"}


async def test_of_approvals_denials_and_cancels_one_wins(tmp_path: Path) -> None:
    environ = {**LOCAL, "CHIDORI_POLICY": '{"rules": [{"target": "http", "decision": "ask_before"}]}'}
    agent = write_agent(tmp_path, SENDS)
    async with gate() as target, serving(agent, tmp_path, environ) as client:
        target.open("/post")
        allowed = 0
        for number in range(ROUNDS):
            session = await _paused(client, {"url": f"{target.url}/post"})
            requests: list[tuple[str, Any]] = [
                ("approve", {"decision": "allow"}),
                ("approve", {"decision": "deny"}),
                ("cancel", {}),
            ]
            requests = requests[number % 3 :] + requests[: number % 3]
            told = await within(SECONDS, _race(client, session, *requests, *requests))
            assert Counter(answer.status for answer in told) == {200: 1, 409: 5}, [answer.json for answer in told]
            view = (await client("GET", session)).json
            allowed += view["status"] == "completed"
            assert len(target.asked) == allowed
        assert 0 < allowed < ROUNDS


async def test_a_double_click_does_not_answer_the_next_question(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS_TWICE), tmp_path) as client:
        for _ in range(ROUNDS):
            session = await _paused(client)
            click = ("resume", {"response": "clicked", "seq": 1})
            told = await within(SECONDS, _race(client, session, click, click, click))
            assert Counter(answer.status for answer in told) == {200: 1, 409: 2}
            view = (await client("GET", session)).json
            assert (view["status"], view["pending_prompt"]) == ("paused", "Two?")


@dataclass(frozen=True)
class Parts:
    """What a server does with its sessions."""

    continued: ContinuedSessions
    cancelled: CancelledSessions


Ask = Callable[[Parts, str], Coroutine[Any, Any, Handle]]


async def _when_it_pauses(folder: Path, monkeypatch: pytest.MonkeyPatch, ask: Ask) -> RunMeta:
    """How a session stands for which ``ask`` is done while its pause is on its way into the store."""
    agent = write_agent(folder, ASKS)
    asked: list[asyncio.Task[Handle]] = []
    pauses = LiveSession.pauses

    def pausing(session: LiveSession) -> None:
        pauses(session)
        asked.append(asyncio.create_task(ask(parts, session.id)))

    monkeypatch.setattr(LiveSession, "pauses", pausing)
    async with runtime_in(folder) as runtime:
        agents = Agents(agent, runtime.settings.runtime_policy, ())
        sessions = Sessions(runtime, LiveRuns(Slots(None, 0), Metrics(), RunLog("text")))
        parts = Parts(ContinuedSessions(runtime, agents, sessions), CancelledSessions(runtime, sessions))
        handle = await NewSessions(runtime, agents, sessions).create(NewSession(b"{}"))
        assert (await within(SECONDS, sessions.at_rest(handle))).status == "paused"
        meta: RunMeta = await within(SECONDS, sessions.at_rest(await asked[0]))
        return meta


async def test_an_answer_given_while_the_run_is_put_to_rest_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    meta = await _when_it_pauses(tmp_path, monkeypatch, lambda parts, name: parts.continued.resume(name, "yes", 1))
    assert (meta.status, meta.output) == ("completed", b'"yes"')


async def test_a_cancel_while_the_run_is_put_to_rest_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def cancel(parts: Parts, name: str) -> Handle:
        handle, active = await parts.cancelled.cancel(name, "enough")
        assert not active
        return handle

    meta = await _when_it_pauses(tmp_path, monkeypatch, cancel)
    assert (meta.status, meta.error) == ("cancelled", {"message": "enough"})


async def test_sessions_started_at_once_with_one_key_are_one(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        told = await asyncio.gather(
            *(
                client("POST", "/sessions", json={"input": {}}, headers={"Idempotency-Key": "order-7"})
                for _ in range(10)
            )
        )
        assert {answer.status for answer in told} == {201}
        assert len({answer.json["id"] for answer in told}) == 1
        assert len((await client("GET", "/sessions")).json["sessions"]) == 1


async def test_sessions_started_at_once_with_one_id_are_one(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, ASKS), tmp_path) as client:
        told = await asyncio.gather(
            *(client("POST", "/sessions", json={"input": {}, "session_id": "mine"}) for _ in range(10))
        )
        assert Counter(answer.status for answer in told) == {201: 1, 409: 9}


async def test_a_session_is_given_up_only_for_what_belongs_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    agent = write_agent(tmp_path, ASKS)
    async with runtime_in(tmp_path) as runtime:
        meta = (await runtime.run(bundle_of(agent), agent, run_id="s", served=True)).meta
        lease = await Lease.acquire(runtime.store, "s", "a test")
        await runtime.store.commit(run_writes(replace(meta, status="running"), new=False), fence=lease.fence)
        lease.release()
    lives = ({"CHIDORI_MCP_CONFIG": "nope.json"}, "running"), ({"CHIDORI_TS_DATE": "disabled"}, "failed")
    for environ, status in lives:
        async with runtime_in(tmp_path, environ) as runtime:
            sessions = Sessions(runtime, LiveRuns(Slots(None, 0), Metrics(), RunLog("text")))
            await within(SECONDS, sessions.take_up())
            meta = sessions.meta("s")
            assert (meta.status, meta.tries) == (status, 1)
    said = capsys.readouterr().err
    assert "run stopped id=s" in said
    assert "nope.json" in said
