from pathlib import Path

from chidori_actors.journal.collection import drop_run_writes
from chidori_actors.journal.idempotency import run_of_key
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import RunMeta, run_writes

META = RunMeta(
    *("run-1", "agent.ts", "completed", b"{}"),
    created_at_ms=1,
    updated_at_ms=1,
    seed="00",
    epoch_ms=1,
    lane=256,
    policy={},
    idempotency_key="k" * 600,
)


async def test_a_key_stands_for_its_run_for_as_long_as_the_run_is_there(tmp_path: Path) -> None:
    store = LocalStore.open(tmp_path / "store")
    try:
        assert run_of_key(store, "k" * 600) is None
        await store.commit(run_writes(META, new=True))
        assert run_of_key(store, "k" * 600) == "run-1"
        assert run_of_key(store, "k") is None
        await store.commit(drop_run_writes(store, META))
        assert run_of_key(store, "k" * 600) is None
    finally:
        store.close()
