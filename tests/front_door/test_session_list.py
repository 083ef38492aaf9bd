"""The list of sessions: searched, filtered, paged, and waited for."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession

from chidori_actors.front_door import session_list
from chidori_actors.journal.lease import Lease
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import RunMeta, get_run, run_writes
from chidori_actors.journal.store import Write
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.front_door.test_openapi import META, valid
from tests.support.agents import within, write_agent
from tests.support.gate import gate

SECONDS = 60
AGENT = """
export async function agent(input: any, chidori: any) {
  if (input.fail) throw new Error(`no such ${input.fail}`);
  if (input.beside) return await Promise.all([chidori.http(input.beside), chidori.input("Meanwhile?")]);
  if (input.url) return (await chidori.http(input.url)).body;
  const said = await chidori.prompt(`about ${input.topic}`);
  if (input.ask) return await chidori.input(input.ask, { choices: ["yes", "no"] });
  return { said, topic: input.topic };
}
"""
Sessions = list[dict[str, Any]]


async def begin(client: Client, name: str, wanted: str = "201", **value: Any) -> Any:
    headers = {"Prefer": "respond-async"} if wanted == "202" else {}
    told = await client("POST", "/sessions", json={"input": value, "session_id": name}, headers=headers)
    assert told.status == int(wanted), told.body
    return told.json


async def listed(client: Client, query: str = "") -> Sessions:
    told = await client("GET", f"/sessions?{query}")
    assert told.status == 200, told.body
    assert valid("SessionPage", told.json)
    found: Sessions = told.json["sessions"]
    return found


async def names(client: Client, query: str) -> list[str]:
    return [item["id"] for item in await listed(client, query)]


@asynccontextmanager
async def stored(folder: Path, *metas: RunMeta) -> AsyncIterator[LocalStore]:
    """A store with these runs."""
    store = LocalStore.open(folder / "store", durability="strict")
    try:
        await store.commit([write for meta in metas for write in run_writes(meta, new=True)])
        yield store
    finally:
        store.close()


async def change(store: LocalStore, meta: RunMeta) -> None:
    """What another process that has the store does."""
    lease = await Lease.acquire(store, meta.id, "a test")
    try:
        await store.commit(run_writes(meta, new=False), fence=lease.fence)
    finally:
        lease.release()


async def test_a_line_says_how_the_session_stands(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await begin(client, "asks", topic="bees", ask="Publish?")
        await begin(client, "done", topic="wasps")
        await begin(client, "bad", fail="thing")
        fork = (await client("POST", "/sessions/done/branch", json={"at": 1, "result": "other"})).json["id"]
        again = (await client("POST", "/sessions/done/replay")).json["id"]
        found = {item["id"]: item for item in await listed(client)}
        assert set(found) == {"asks", "done", "bad", fork, again}
        asks, done = found["asks"], found["done"]
        assert (asks["pending_count"], asks["pending_kind"], asks["pending_prompt"]) == (1, "input", "Publish?")
        assert (done["agent"], done["call_count"], done["pending_count"]) == ("agent.ts", 1, 0)
        assert (done["live"], done["interrupted"], done["imported"], done["branch"]) == (False, False, False, None)
        assert found[fork]["branch"] == {"parent_run_id": "done", "at_seq": 1}
        assert found[again]["branch"] == {"parent_run_id": "done", "at_seq": None}


async def test_sessions_are_found_by_what_is_in_them(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await begin(client, "first-asks", topic="bees", ask="Publish the notice?")
        await begin(client, "second", topic="Honey badgers")
        await begin(client, "third", fail="thing")
        fork = (await client("POST", "/sessions/second/branch", json={"at": 1, "result": "quite other"})).json["id"]
        for query, expected in (
            ("search=FIRST", ["first-asks"]),
            ("search=asks", []),
            ("search=the+NOTICE", ["first-asks"]),
            ("search=honey+b", [fork, "second"]),
            ("search=quite", [fork]),
            ("search=no+such+thing", ["third"]),
            ("search=", [fork, "third", "second", "first-asks"]),
            ("agent=agent.ts&search=bees", ["first-asks"]),
            ("agent=other.ts", []),
            ("parent=second", [fork]),
            ("status=paused&status=failed", ["third", "first-asks"]),
            ("status=interrupted", []),
            ("status=completed&search=honey&parent=second", [fork]),
        ):
            assert await names(client, query) == expected, query


async def test_a_session_that_runs_on_while_it_asks_is_found_among_those_that_wait(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await begin(client, "done", topic="wasps")
        await begin(client, "rests", topic="bees", ask="Publish?")
        version = (await client("GET", "/sessions?status=waiting")).json["version"]
        await begin(client, "runs", "202", beside=f"{target.url}/slow")
        async with asyncio.timeout(SECONDS):
            while await names(client, "status=waiting") == ["rests"]:
                version = (await client("GET", f"/sessions?after={version}&wait=20")).json["version"]
        (runs, rests) = await listed(client, "status=waiting")
        assert (runs["id"], runs["status"], runs["pending_prompt"]) == ("runs", "running", "Meanwhile?")
        assert (rests["id"], rests["status"]) == ("rests", "paused")
        assert await names(client, "status=waiting&search=meanwhile") == ["runs"]
        assert await names(client, "status=paused") == ["rests"]
        assert (await client("POST", "/sessions/rests/cancel")).status == 200
        assert await names(client, "status=waiting") == ["runs"]


@pytest.mark.parametrize(
    "query",
    ["status=done", "status=paused&status=", "wait=26", "wait=-1", "wait=x", "wait=1.5", "limit=0", "cursor=zz"],
)
async def test_what_cannot_be_asked_for_is_refused(tmp_path: Path, query: str) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        assert (await client("GET", f"/sessions?{query}")).status == 422


async def test_pages_go_through_the_list_once_whatever_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session_list, "MOST_LOOKED_AT", 100)
    metas = [
        replace(META, id=f"run-{n:04}", created_at_ms=n, status="completed", lane=n << 32, output=b'"x%d"' % (n % 7))
        for n in range(1, 451)
    ]
    async with stored(tmp_path, *metas), serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        for query, wanted in (("", metas), ("search=x3", [meta for meta in metas if meta.output == b'"x3"'])):
            found: list[str] = []
            cursor, pages = "", 0
            while True:
                page = (await client("GET", f"/sessions?limit=9&{query}{cursor}")).json
                found += [item["id"] for item in page["sessions"]]
                pages += 1
                if page["next_cursor"] is None:
                    break
                cursor = f"&cursor={page['next_cursor']}"
            assert found == [meta.id for meta in reversed(wanted)], query
            assert pages <= len(wanted) // 9 + 450 // 100 + 2


async def test_a_live_session_is_said_to_be_and_a_killed_one_is_interrupted(tmp_path: Path) -> None:
    dead = replace(META, id="dead", lane=1 << 32)
    async with gate() as target, stored(tmp_path, dead), serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await begin(client, "alive", "202", url=f"{target.url}/a")
        found = {item["id"]: (item["status"], item["live"], item["interrupted"]) for item in await listed(client)}
        assert found == {"alive": ("running", True, False), "dead": ("running", False, True)}
        assert await names(client, "status=interrupted") == ["dead"]
        assert await names(client, "status=running") == ["alive", "dead"]


async def _version(client: Client) -> str:
    return str((await client("GET", "/sessions")).json["version"])


async def _news(client: Client, after: str) -> "asyncio.Task[Any]":
    """Waits for news of the list; the server has the request, as far as one can tell."""
    waiting = asyncio.create_task(client("GET", f"/sessions?after={after}&wait=25"))
    for _ in range(3):
        assert (await client("GET", "/health")).status == 200
    return waiting


async def test_whoever_waits_is_told_of_every_turn_of_a_session_of_this_server(tmp_path: Path) -> None:
    async with gate() as target, serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        waiting = await _news(client, await _version(client))
        await begin(client, "s", "202", url=f"{target.url}/a")
        told = (await within(10, waiting)).json
        assert [item["status"] for item in told["sessions"]] == ["running"]
        await within(SECONDS, target.until_asked("/a"))
        after = await _version(client)
        assert after == await _version(client), "nothing happened"
        waiting = await _news(client, after)
        target.open("/a")
        async with asyncio.timeout(SECONDS):
            # That its call has ended may be news of its own.
            while (told := (await waiting).json)["sessions"][0]["status"] != "completed":
                waiting = await _news(client, told["version"])


async def test_questions_of_a_run_under_way_are_news(tmp_path: Path) -> None:
    agent = """export async function agent(input: any, chidori: any) {
      const fetch = async () => (await chidori.http(input.url)).body.through;
      return await chidori.parallel([fetch, () => chidori.input("Go?")]);
    }"""
    async with gate() as target, serving(write_agent(tmp_path, agent), tmp_path) as client:
        await begin(client, "s", "202", url=f"{target.url}/a")
        async with asyncio.timeout(SECONDS):
            told = (await client("GET", "/sessions")).json
            while not told["sessions"][0]["pending_count"]:
                told = (await client("GET", f"/sessions?after={told['version']}&wait=25")).json
        item = told["sessions"][0]
        assert (item["status"], item["pending_kind"], item["pending_prompt"]) == ("running", "input", "Go?")
        target.open("/a")


async def test_what_another_process_does_is_news_within_the_wait(tmp_path: Path) -> None:
    dead, done = replace(META, id="dead", lane=1 << 32), replace(META, id="done", lane=2 << 32, status="completed")
    async with stored(tmp_path, dead) as store, serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        waiting = await _news(client, await _version(client))
        await store.commit(run_writes(done, new=True))
        told = (await within(20, waiting)).json
        assert {item["id"] for item in told["sessions"]} == {"dead", "done"}
        waiting = await _news(client, told["version"])
        await change(store, replace(get_run(store, "dead"), status="failed", error={"message": "gone"}))
        told = (await within(20, waiting)).json
        assert {item["status"] for item in told["sessions"]} == {"failed", "completed"}


async def test_a_run_that_another_process_owns_is_live_until_it_dies(tmp_path: Path) -> None:
    owned = replace(META, id="owned", lane=1 << 32)
    async with stored(tmp_path, owned) as store, serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        lease = await Lease.acquire(store, "owned", "a test")
        told = (await client("GET", "/sessions")).json
        assert told["sessions"][0]["live"]
        waiting = await _news(client, told["version"])
        lease.release()
        told = (await within(20, waiting)).json
        assert (told["sessions"][0]["live"], told["sessions"][0]["interrupted"]) == (False, True)


async def test_without_news_the_answer_comes_when_the_wait_is_over_and_the_version_stays(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await begin(client, "s", topic="bees")
        after = await _version(client)
        told = (await within(20, client("GET", f"/sessions?after={after}&wait=1"))).json
        assert (told["version"], len(told["sessions"])) == (after, 1)
        for other in ("another-life-3", ""):
            at_once = await within(20, client("GET", f"/sessions?after={other}&wait=25"))
            assert at_once.json["version"] == after


async def test_whoever_waits_does_not_hold_up_the_server_s_end(tmp_path: Path) -> None:
    async with ClientSession() as session:
        async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
            waiting = await _news(Client(client.url, session), await _version(client))
        assert (await within(20, waiting)).status == 200


async def test_a_view_says_what_the_session_adds_up_to(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        await begin(client, "done", topic="bees")
        view = (await client("GET", "/sessions/done")).json
        assert valid("SessionDetails", view)
        assert (view["recorded_calls"], view["live_calls"], view["source_available"]) == (0, 1, True)
        assert (view["totals"]["prompts"], view["totals"]["cost"]) == (1, "$0.0000 (test provider, no cost)")
        assert view["store"] == str(tmp_path / "store")
        assert Path(view["agent_path"]).name == view["agent"] == "agent.ts"
        assert (await client("GET", "/sessions/done")).json["totals"] == view["totals"], "counted twice"
        again = (await client("POST", "/sessions/done/replay")).json["id"]
        copy = (await client("GET", f"/sessions/{again}")).json
        assert (copy["recorded_calls"], copy["live_calls"], copy["totals"]["prompts"]) == (1, 0, 0)
        assert copy["branch"] == {"parent_run_id": "done", "at_seq": None}


async def test_the_totals_of_a_run_under_way_grow_with_it(tmp_path: Path) -> None:
    agent = """export async function agent(input: any, chidori: any) {
      for (let i = 0; i < 250; i++) await chidori.prompt(`number ${i}`);
      await chidori.http(input.url);
      return await chidori.parallel([() => chidori.prompt("a"), () => chidori.prompt("b")]);
    }"""
    async with gate() as target, serving(write_agent(tmp_path, agent), tmp_path) as client:
        await begin(client, "s", "202", url=f"{target.url}/a")
        await within(SECONDS, target.until_asked("/a"))
        assert (await client("GET", "/sessions/s")).json["totals"]["prompts"] == 250
        target.open("/a")
        async with asyncio.timeout(SECONDS):
            while (view := (await client("GET", "/sessions/s")).json)["status"] == "running":
                pass
        assert (view["totals"]["prompts"], view["call_count"], view["live_calls"]) == (252, 254, 254)


async def test_a_large_input_is_searched_and_a_list_without_search_does_not_read_it(tmp_path: Path) -> None:
    async with serving(write_agent(tmp_path, AGENT), tmp_path) as client:
        run = await begin(client, "large", topic=f"needle {'x' * 10_000}")
        assert run["status"] == "completed", run
        found = (await client("GET", "/sessions?search=NEEDLE")).json["sessions"]
        assert [each["id"] for each in found] == ["large"]
        assert (await client("GET", "/sessions?search=nothing")).json["sessions"] == []
        store = LocalStore.open(tmp_path / "store")
        await store.commit([Write("blobs", key, None) for key in list(store.keys("blobs"))])
        store.close()
        listed = (await client("GET", "/sessions")).json["sessions"]
        assert [each["id"] for each in listed] == ["large"]
        assert (await client("GET", "/sessions?search=needle")).json["sessions"] == []
