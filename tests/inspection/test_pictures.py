"""Pictures of runs on a store: large ones, damaged ones, and ones that are followed while they grow."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.recorded_run import BEGAN_MS, store_run
from chidori_actors.errors import RunNotFound, StoreError
from chidori_actors.inspection.call_list import CallFilter, list_calls
from chidori_actors.inspection.pictures import Pictures
from chidori_actors.inspection.window import Window, timeline
from chidori_actors.journal.actors import ActorMeta, actor_writes
from chidori_actors.journal.lanes import Entry, Retried, Settled, Started, encode_entry
from chidori_actors.journal.runs import RunMeta, run_writes
from chidori_actors.journal.store import Store, Write
from chidori_actors.runtime import Runtime
from tests.support.agents import runtime_in


async def shown(runtime: Runtime, pictures: Pictures, run_id: str, **window: Any) -> Any:
    return timeline(runtime.store, await pictures.read(run_id, None), Window(**window))


def without_version(view: Any) -> Any:
    return {name: value for name, value in view.items() if name not in ("version", "now_ms")}


async def test_a_large_run_is_answered_window_by_window(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        await store_run(runtime.store, "large", calls=10_000, branches=500, fails_every=100)
        pictures = Pictures(runtime.store)
        view = await shown(runtime, pictures, "large", first=100, count=60)
        assert (view["lane_count"], view["call_count"]) == (501, 10_000)
        assert (view["counts"]["done"], view["counts"]["failed"]) == (9_900, 100)
        assert [lane["index"] for lane in view["lanes"]] == list(range(99, 159))
        assert {lane["name"] for lane in view["lanes"][:1]} == {"branch 99 of #1"}
        assert sum(lane["call_count"] for lane in view["lanes"]) == sum(
            bar.get("merged", 1) for lane in view["lanes"] for bar in lane["bars"]
        )
        page = await list_calls(
            runtime.store, await pictures.read("large", None), CallFilter(state="failed"), offset=90, limit=20
        )
        assert (page["total"], len(page["calls"])) == (100, 10)
        assert [call["seq"] for call in page["calls"]] == list(range(9_100, 10_001, 100))
        pictures.close()


async def test_calls_that_are_narrower_than_a_pixel_are_merged_and_their_worst_state_shows(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        await store_run(runtime.store, "flat", calls=1_000, branches=0, fails_every=250)
        pictures = Pictures(runtime.store)
        (lane,) = (await shown(runtime, pictures, "flat", width=100))["lanes"]
        bars = lane["bars"]
        assert len(bars) <= 201
        merged = [bar for bar in bars if "merged" in bar]
        assert sum(bar.get("merged", 1) for bar in bars) == 1_000
        for bar in merged:
            has_failed = any(seq % 250 == 0 for seq in range(bar["first_seq"], bar["last_seq"] + 1))
            assert bar["state"] == ("failed" if has_failed else "done")
            assert bar["last_seq"] - bar["first_seq"] + 1 == bar["merged"]
            assert bar["recorded"] is False
        assert [bar["begin_ms"] for bar in bars] == sorted(bar["begin_ms"] for bar in bars)
        # Each call is 3 ms long: where a pixel is less than that, none is merged.
        close = (await shown(runtime, pictures, "flat", width=100, from_ms=BEGAN_MS + 300, to_ms=BEGAN_MS + 330))[
            "lanes"
        ]
        assert [bar["seq"] for bar in close[0]["bars"]] == list(range(100, 112))
        pictures.close()


async def test_merged_calls_are_recorded_when_all_of_them_are(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        meta = await store_run(runtime.store, "flat", calls=1_000, branches=0)
        await runtime.store.commit(run_writes(replace(meta, replayed_calls=503), new=False))
        pictures = Pictures(runtime.store)
        view = await shown(runtime, pictures, "flat", width=90)
        assert view["counts"]["recorded"] == 503
        merged = [bar for bar in view["lanes"][0]["bars"] if "merged" in bar]
        assert [bar["recorded"] for bar in merged] == [bar["last_seq"] <= 503 for bar in merged]
        assert any(bar["first_seq"] <= 503 < bar["last_seq"] for bar in merged), "one has some of both"
        pictures.close()


def _meta(lane: int, **more: Any) -> RunMeta:
    meta = RunMeta("grows", "/a.ts", "completed", b"{}", BEGAN_MS, BEGAN_MS + 1000, "00", BEGAN_MS, lane, {})
    return replace(meta, **more)


class Growing:
    """A run whose lanes are written entry by entry, as by another process."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lengths: dict[int, int] = {}

    async def add(self, lane: int, *entries: Entry, also: list[Write] | None = None) -> None:
        writes = list(also or ())
        for entry in entries:
            place = self._lengths.get(lane, 0)
            self._lengths[lane] = place + 1
            writes += encode_entry(lane, place, entry)
        await self._store.commit(writes)

    async def describe(self, meta: RunMeta) -> None:
        await self._store.commit(run_writes(meta, new=False))


async def test_a_picture_that_follows_a_run_is_the_one_that_reads_it_whole(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        store, root, at = runtime.store, 1 << 32, BEGAN_MS
        run, pictures = Growing(store), Pictures(store)
        await run.describe(_meta(root, status="running"))
        assert store.locks().lock("grows"), "it is under way"

        async def check() -> Any:
            followed = await shown(runtime, pictures, "grows")
            fresh = await shown(runtime, Pictures(store), "grows")
            assert without_version(followed) == without_version(fresh)
            return followed

        versions = [(await check())["version"]]
        assert (await check())["version"] == versions[0], "nothing happened"
        fork = Started(1, 1, 0, "parallel", b'{"count": 2}', at)
        await run.add(root, fork)
        branch = ActorMeta(root + 2, "1/b1", "branch", root, 1, 1, "running", at)
        await run.add(root + 2, Started(1, 2, 0, "log", b"{}", at + 5, parent_seq=1), also=actor_writes(branch))
        view = await check()
        assert [lane["path"] for lane in view["lanes"]] == ["", "1/b1"]
        versions.append(view["version"])
        # The other branch is described later, and comes before it.
        first = ActorMeta(root + 1, "1/b0", "branch", root, 1, 0, "running", at)
        await run.add(
            root + 1, Started(1, 3, 0, "tool", b'{"name": "t"}', at + 6, parent_seq=1), also=actor_writes(first)
        )
        tool = ActorMeta(root + 3, "1/b0/1", "tool", root + 1, 3, 0, "running", at + 6)
        await run.add(root + 3, Started(1, 4, 0, "log", b"{}", at + 7, parent_seq=3), also=actor_writes(tool))
        view = await check()
        assert [lane["path"] for lane in view["lanes"]] == ["", "1/b0", "1/b0/1", "1/b1"]
        versions.append(view["version"])
        error = {"message": "no", "name": "Error"}
        await run.add(root + 3, Settled(1, 1, at + 9, 2.0, error=error))
        await run.add(root + 2, Settled(1, 2, at + 9, 4.0, value=b"1"))
        await run.describe(_meta(root, status="failed", error=error))
        view = await check()
        assert view["counts"]["failed"] == 1
        versions.append(view["version"])
        await run.add(root + 3, Retried(1, at + 20), Settled(1, 3, at + 21, 1.0, value=b"2"))
        await run.describe(_meta(root, status="failed", error=error, updated_at_ms=at + 30))
        view = await check()
        assert (view["counts"]["failed"], view["counts"]["done"]) == (0, 2)
        versions.append(view["version"])
        assert len(set(versions)) == len(versions)
        pictures.close()


async def test_a_damaged_or_missing_entry_is_named(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        store, root = runtime.store, 1 << 32
        run, pictures = Growing(store), Pictures(store)
        await run.describe(_meta(root))
        await run.add(root, Started(1, 1, 0, "log", b"{}", BEGAN_MS), Settled(1, 1, BEGAN_MS, 0.0, value=b"1"))
        whole = await shown(runtime, pictures, "grows")
        ((key, value), _) = store.scan("lanes", root.to_bytes(8, "big"))
        await store.commit([Write("lanes", key, value[:-1] + b"?")])
        with pytest.raises(StoreError, match=r"entry 0 of lane 4294967296 .* damaged"):
            await Pictures(store).read("grows", None)
        await store.commit([Write("lanes", key, None)])
        with pytest.raises(StoreError, match="entry 0 of lane 4294967296"):
            await Pictures(store).read("grows", None)
        await store.commit([Write("lanes", key, value)])
        assert without_version(await shown(runtime, Pictures(store), "grows")) == without_version(whole)
        await run.add(root, Settled(7, 2, BEGAN_MS, 0.0, value=b"1"))
        await run.describe(_meta(root, updated_at_ms=BEGAN_MS + 5))
        for _ in range(2):
            with pytest.raises(StoreError, match="call 7 has a result and was never made"):
                await pictures.read("grows", None)
        pictures.close()


async def test_only_so_many_runs_are_kept_and_a_run_that_is_gone_is_not(tmp_path: Path) -> None:
    async with runtime_in(tmp_path) as runtime:
        pictures = Pictures(runtime.store)
        for number in range(40):
            await store_run(runtime.store, f"run-{number}", calls=2, branches=0)
            await pictures.read(f"run-{number}", None)
        assert len(pictures) == 32
        before = (await pictures.read("run-39", None)).version
        assert (await pictures.read("run-39", None)).version == before
        assert (await pictures.read("run-0", None)).version != before
        with pytest.raises(RunNotFound):
            await pictures.read("never", None)
        await runtime.store.commit([Write("runs", b"run-39", None)])
        with pytest.raises(RunNotFound):
            await pictures.read("run-39", None)
        assert len(pictures) == 31
        pictures.close()
        assert len(pictures) == 0
