"""Runs: found by id or prefix, listed newest first in pages."""

from dataclasses import replace

import pytest

from chidori_actors.errors import RunNotFound, StoreError
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.run_ids import is_run_id
from chidori_actors.journal.runs import RunMeta, Status, get_run, list_runs, run_writes
from chidori_actors.journal.store import Write

POLICY = {"typescript_imports": "relative", "date": "fixed", "random": "seeded", "maps_sets": "serialize"}


def _run(run_id: str, created_at_ms: int = 1_700_000_000_000) -> RunMeta:
    return RunMeta(
        id=run_id,
        agent="agents/hello.ts",
        status="running",
        input=b'{"n": 1e21}',
        created_at_ms=created_at_ms,
        updated_at_ms=created_at_ms,
        seed="00ff",
        epoch_ms=created_at_ms,
        lane=1,
        policy=POLICY,
    )


async def test_a_run_comes_back_as_it_was_written_large_texts_included(store: LocalStore) -> None:
    plain = _run("0c6d9e5e-1")
    full = replace(
        plain,
        status="paused",
        input=b'"' + b"i" * 9000 + b'"',
        output=b"-0",
        error={"message": "no", "location": "a.ts:1:2"},
        model="m",
        bundle="ab",
        call_count=3,
        pending=({"seq": 3, "kind": "input"},),
        failed_ordinal=2,
        origin_run_id="origin",
        warnings=("one", "two"),
    )
    for meta, new in ((plain, True), (full, False)):
        await store.commit(run_writes(meta, new=new))
        assert get_run(store, meta.id) == meta
    assert len(list_runs(store).runs) == 1


async def test_a_prefix_names_a_run_when_only_one_begins_so(store: LocalStore) -> None:
    for run_id in ("abcd-1", "abcd-2", "abce-1", "abcd-10"):
        await store.commit(run_writes(_run(run_id), new=True))
    assert get_run(store, "abce").id == "abce-1"
    assert get_run(store, "abcd-1").id == "abcd-1"
    with pytest.raises(RunNotFound, match="several runs begin with abcd: abcd-1, abcd-10, abcd-2"):
        get_run(store, "abcd")
    for missing in ("abc", "nothing", "", "x y", "a/../b", "é" * 4, "x" * 129):
        with pytest.raises(RunNotFound) as caught:
            get_run(store, missing)
        assert "chidori runs" in (caught.value.hint or "")


async def test_runs_are_listed_newest_first_in_pages_that_join_without_a_gap(store: LocalStore) -> None:
    for number in range(23):
        meta = _run(f"run-{number:02}", 1_700_000_000_000 + number // 2)
        await store.commit(run_writes(replace(meta, status="failed" if number % 3 else "completed"), new=True))
    newest = [f"run-{number:02}" for number in reversed(range(23))]
    cases: list[tuple[Status | None, list[str]]] = [
        (None, newest),
        ("failed", [name for name in newest if int(name[4:]) % 3]),
        ("completed", [name for name in newest if not int(name[4:]) % 3]),
    ]
    for status, expected in cases:
        found: list[str] = []
        cursor = None
        for _ in range(30):
            page = list_runs(store, status=status, limit=5, cursor=cursor)
            assert len(page.runs) <= 5
            found += [meta.id for meta in page.runs]
            cursor = page.next_cursor
            if cursor is None:
                break
        assert found == expected


async def test_a_bad_cursor_and_a_damaged_run_are_named(store: LocalStore) -> None:
    await store.commit(run_writes(_run("run-1"), new=True))
    with pytest.raises(StoreError, match="'zz' is not a cursor"):
        list_runs(store, cursor="zz")
    stored = store.get("runs", b"run-1") or b""
    await store.commit([Write("runs", b"run-1", stored[:-1] + b"?")])
    with pytest.raises(StoreError, match=r"the description of run run-1 .* is damaged"):
        get_run(store, "run-1")


async def test_damaged_runs_are_named_among_the_others_and_count_for_the_page(store: LocalStore) -> None:
    for number in range(4):
        await store.commit(run_writes(_run(f"run-{number}", 1_700_000_000_000 + number), new=True))
    await store.commit([Write("runs", b"run-2", b"garbage"), Write("runs", b"run-0", b"")])
    first = list_runs(store, limit=2)
    assert ([meta.id for meta in first.runs], first.damaged) == (["run-3"], ["run-2"])
    rest = list_runs(store, limit=2, cursor=first.next_cursor)
    assert ([meta.id for meta in rest.runs], rest.damaged, rest.next_cursor) == (["run-1"], ["run-0"], None)


def test_only_plain_ids_are_accepted() -> None:
    assert all(is_run_id(good) for good in ("a", "A.b:c-d_9", "x" * 128))
    assert not any(is_run_id(bad) for bad in ("", "a b", "a/b", "é", "a\n", "x" * 129))
    with pytest.raises(ValueError, match="not a run id"):
        run_writes(_run("a/b"), new=True)
