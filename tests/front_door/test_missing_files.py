"""Sessions whose agent's file is not where they say: moved away, imported from elsewhere, or faulty by now."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from chidori_actors.journal.local_store import LocalStore
from chidori_actors.transfer import import_checkpoint
from tests.front_door.serving import serving
from tests.front_door.small_app import Client
from tests.support.agents import write_agent

ASKS = """
export async function agent(input: any, chidori: any) {
  const name = await chidori.input("Name?");
  return `Hello ${name}, ${await chidori.input("Again?")}`;
}
"""
"""It is asked twice, so that it is continued twice."""


async def _post(client: Client, path: str, body: Any, expect: int = 200) -> Any:
    told = await client("POST", path, json=body)
    assert told.status == expect, told.body
    return told.json


async def _paused(client: Client, agent: str = "asks.ts") -> Any:
    return await _post(client, "/sessions", {"input": {}, "session_id": "s", "agent": agent}, 201)


@pytest.fixture
def asks(tmp_path: Path) -> Path:
    """An agent beside the served one, ``agent.ts``."""
    write_agent(tmp_path, ASKS)
    return write_agent(tmp_path, ASKS, "asks.ts")


async def test_a_session_whose_file_is_gone_goes_on_with_its_recorded_source_and_says_so(asks: Path) -> None:
    async with serving(asks.parent / "agent.ts", asks.parent) as client:
        assert (await _paused(client))["warnings"] == []
        asks.rename(asks.with_name("renamed.ts"))
        warning = f"there is no file {asks} here: the run goes on with its recorded source"
        view = await _post(client, "/sessions/s/resume", {"response": "Ada"})
        assert (view["status"], view["warnings"]) == ("paused", [warning])
        view = await _post(client, "/sessions/s/resume", {"response": "bye"})
        assert (view["output"], view["warnings"]) == ("Hello Ada, bye", [warning])
        assert view.items() <= (await client("GET", "/sessions/s")).json.items()


async def test_a_change_cannot_be_allowed_when_the_file_is_gone(asks: Path) -> None:
    async with serving(asks.parent / "agent.ts", asks.parent) as client:
        view = await _paused(client)
        asks.unlink()
        told = await _post(client, "/sessions/s/resume", {"response": "Ada", "allow_source_change": True}, 409)
        assert told["error"] == f"there is no file {asks} here"
        assert "leave `allow_source_change` out to go on with the recorded source" in told["hint"]
        assert view.items() <= (await client("GET", "/sessions/s")).json.items()


async def test_a_file_with_a_fault_is_told_and_the_session_stays_as_it_was(asks: Path) -> None:
    async with serving(asks.parent / "agent.ts", asks.parent) as client:
        view = await _paused(client)
        asks.write_text("export async function agent( {", encoding="utf-8")
        told = await _post(client, "/sessions/s/resume", {"response": "Ada"}, 409)
        assert told["error"].startswith("asks.ts:1:")
        assert view.items() <= (await client("GET", "/sessions/s")).json.items()
        # A new session of it is another matter: what the server was told to serve is broken.
        await _post(client, "/sessions", {"input": {}, "agent": "asks.ts"}, 500)


@pytest.mark.parametrize("recorded", ["elsewhere/asks.ts", "/nowhere/asks.ts", "x" * 5000 + ".ts"])
async def test_an_imported_session_goes_on_whatever_path_it_has(asks: Path, tmp_path: Path, recorded: str) -> None:
    async with serving(asks.parent / "agent.ts", tmp_path) as client:
        await _paused(client)
        document = (await client("GET", "/sessions/s/checkpoint")).json
    document["run"]["agent"] = recorded
    kept = Path(recorded).name if Path(recorded).is_absolute() else recorded
    store = LocalStore.open(tmp_path / "store")
    await import_checkpoint(store, orjson.dumps(document), run_id="imported")
    await import_checkpoint(store, orjson.dumps({**document, "bundle": None}), run_id="sourceless")
    store.close()
    async with serving(asks.parent / "agent.ts", tmp_path) as client:
        view = await _post(client, "/sessions/imported/resume", {"response": "Ada"})
        assert (view["status"], "recorded source" in view["warnings"][-1]) == ("paused", True)
        told = await _post(client, "/sessions/sourceless/resume", {"response": "Ada"}, 409)
        assert told["error"].startswith(f"there is no file {kept}"), told
        assert told["hint"] == "put the agent's file there: the session was imported without its source"
