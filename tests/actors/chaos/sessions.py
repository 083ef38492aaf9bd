"""Many sessions with branches, and what must be true of them however they were disturbed."""

import asyncio
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import urlsplit

import orjson

from chidori_actors.agent_source import load_agent
from chidori_actors.errors import RunNotFound
from chidori_actors.journal.store import Store
from chidori_actors.runtime import Runtime
from tests.support.agents import output_of, records_of, write_agent

from .ledger import Ledger

BRANCHES = 4
CALLS = 3
_HEAD = """
export async function agent(input: any, chidori: any) {
  const post = async (call: string, ms: number) =>
    (await chidori.http(`${input.url}/${input.name}/${call}?ms=${ms}`, { method: "POST", body: call })).body.answer;
  const branch = async (i: number, prefix = "") => {
    const answers = [];
    for (let n = 0; n < 3; n++) answers.push(await post(`${prefix}${i}.${n}`, 20 + ((i * 3 + n) * 37) % 80));
    return answers;
  };
  const first = await post("first", 20);
"""
FLAT = (
    _HEAD
    + """
  return { first, all: await chidori.parallel([0, 1, 2, 3].map((i) => () => branch(i))) };
}
"""
)
NESTED = (
    _HEAD
    + """
  return { first, all: await chidori.parallel([0, 1].map((i) => async () => {
    const before = await branch(i, "outer");
    return [before, ...await chidori.parallel([0, 1].map((j) => () => branch(i * 2 + j)))];
  })) };
}
"""
)
"""Branches with branches: ``outer0.*`` and ``outer1.*`` are called before those of the inner ones."""


def _flat_calls() -> list[str]:
    return ["first", *(f"{i}.{n}" for i in range(BRANCHES) for n in range(CALLS))]


@dataclass(slots=True)
class Sessions:
    """``count`` sessions of one agent, which all make the same calls to paths of their own."""

    folder: Path
    ledger: Ledger
    count: int = 200
    source: str = FLAT
    results: dict[str, Any] = field(default_factory=dict)
    settled: dict[str, float] = field(default_factory=dict)
    """When the record first had a call as settled at a fault, by the call's path; seconds."""
    faults: int = 0

    @property
    def names(self) -> list[str]:
        return [f"session-{number}" for number in range(self.count)]

    @property
    def calls(self) -> list[str]:
        """What each session calls."""
        outer = [f"outer{i}.{n}" for i in range(2) for n in range(CALLS)] if self.source == NESTED else []
        return [*_flat_calls(), *outer]

    def write(self) -> Path:
        """The agent as a file."""
        return write_agent(self.folder, self.source)

    def input_of(self, name: str) -> dict[str, str]:
        return {"url": self.ledger.url, "name": name}

    async def run(self, runtime: Runtime) -> None:
        """All at once; their outputs are ``results``."""
        path = self.write()
        bundle = load_agent(path, runtime.settings.runtime_policy)

        async def one(name: str) -> None:
            result = await runtime.run(bundle, path, orjson.dumps(self.input_of(name)), run_id=name)
            self.results[name] = output_of(result)

        async with asyncio.TaskGroup() as group:
            for name in self.names:
                group.create_task(one(name))

    async def part(self, share: float, names: Sequence[str] | None = None) -> None:
        """Wait until that share of the calls has been made, of those sessions or of all."""
        chosen = self.names if names is None else names
        await self.ledger.until(int(len(chosen) * len(self.calls) * share), chosen)

    async def begun(self) -> None:
        """Wait until every session has made its first call."""
        await self.ledger.until(self.count, self.names)

    async def note_settled(self, store: Store) -> None:
        """What the record has as settled from now on must not be called again. To be called right before a fault."""
        self.faults += 1
        print(f"fault {self.faults} at {monotonic():.2f}", file=sys.stderr)
        found = await asyncio.to_thread(lambda: {path for name in self.names for path in _answers(store, name)})
        now = monotonic()
        for path in found:
            self.settled.setdefault(path, now)

    # -- what must be true in the end -------------------------------------------------------------------------------

    def check(self, store: Store) -> None:
        """Every session gave what was answered, the record has every call, and none was made again without need."""
        assert sorted(self.results) == sorted(self.names)
        for name in self.names:
            recorded = _answers(store, name)
            assert sorted(recorded) == sorted(f"/{name}/{call}" for call in self.calls), f"the record of {name}"
            for path, answer in recorded.items():
                assert answer in {asked.answer for asked in self.ledger.requests[path]}, path
            assert self.results[name] == self._expected(name, recorded), name
        again = self.ledger.repeated
        twice = {path: [(asked.at, asked.key, asked.answer) for asked in self.ledger.requests[path]] for path in again}
        late = {
            path: (self.settled[path], twice[path])
            for path in again.keys() & self.settled.keys()
            if any(asked.at > self.settled[path] for asked in self.ledger.requests[path])
        }
        assert not late, late
        assert all(times <= 1 + self.faults for times in again.values()), again
        keys = {path: {key for _, key, _ in asks} for path, asks in twice.items()}
        assert all(len(found) == 1 and "" not in found for found in keys.values()), keys

    def check_never_repeated(self) -> None:
        """As when nothing happened."""
        again = self.ledger.repeated
        assert not again, f"{len(again)} calls were made again, such as {list(again)[:5]}"

    async def check_replays(self, runtime: Runtime, sample: int = 20) -> None:
        """Some of them give the same again, and nobody is asked."""
        before = self.ledger.total
        for name in self.names[:: max(1, self.count // sample)]:
            assert output_of(await runtime.replay(name)) == self.results[name], name
        assert self.ledger.total == before, "a replay made calls"

    def _expected(self, name: str, recorded: Mapping[str, int]) -> dict[str, Any]:
        def branch(i: int, prefix: str = "") -> list[int]:
            return [recorded[f"/{name}/{prefix}{i}.{n}"] for n in range(CALLS)]

        first = recorded[f"/{name}/first"]
        if self.source == NESTED:
            return {"first": first, "all": [[branch(i, "outer"), branch(2 * i), branch(2 * i + 1)] for i in range(2)]}
        return {"first": first, "all": [branch(i) for i in range(BRANCHES)]}


@dataclass(slots=True)
class Clock:
    """How long it took from a fault until the sessions that it hit went on, and until all had completed; seconds."""

    ledger: Ledger
    began: float = field(default_factory=monotonic)
    hit: Sequence[str] = ()
    fault: float = 0.0

    def strike(self, hit: Iterable[str] = ()) -> None:
        """The fault is now, and hits those sessions (none: all)."""
        self.hit, self.fault = tuple(hit), monotonic()

    def figures(self) -> dict[str, Any]:
        now = monotonic()
        prefixes = tuple(f"/{name}/" for name in self.hit) or ("/",)
        on = self.ledger.first_since(self.fault, prefixes)
        return {
            "hit": len(self.hit),
            "went_on_s": None if on is None else round(on, 2),
            "longest_pause_s": round(self._longest_pause(prefixes), 2),
            "completed_s": round(now - self.fault, 2),
            "whole_s": round(now - self.began, 2),
            "repeated": len(self.ledger.repeated),
        }

    def _longest_pause(self, prefixes: tuple[str, ...]) -> float:
        """The longest time after the fault in which none of the sessions that it hit asked for anything."""
        asked = self.ledger.requests.items()
        times = sorted(one.at for path, asks in asked if path.startswith(prefixes) for one in asks)
        times = [self.fault, *(time for time in times if time > self.fault)]
        return max((later - sooner for sooner, later in pairwise(times)), default=0.0)


def _answers(store: Store, name: str) -> dict[str, int]:
    """What the record of a session has as answered, by path."""
    try:
        found = records_of(store, name)
    except RunNotFound:
        return {}
    return {
        urlsplit(record["args"]["url"]).path: record["result"]["body"]["answer"]
        for record in found
        if record["function"] == "http" and record.get("error") is None
    }
