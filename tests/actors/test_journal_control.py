"""What the supervisor keeps in the journal."""

from dataclasses import replace
from pathlib import Path

from actors.config import ClusterConfig
from actors.journal_control import JournalControl

from .journal_shards import journal, kill


async def test_nodes_that_are_drained_are_known_to_the_next_supervisor(tmp_path: Path, namespace: str) -> None:
    config = ClusterConfig(store=tmp_path / "store", namespace=namespace, shards=2)
    async with journal(config) as shards:
        control = JournalControl(shards)
        assert await control.draining() == set()
        await control.keep_draining({"a"})
        await kill(shards[0])
        await control.keep_draining({"a", "b"})
        await control.keep_draining({"b", "c"})
    async with journal(replace(config, namespace=f"{namespace}-later")) as shards:
        assert await JournalControl(shards).draining() == {"b", "c"}
        await JournalControl(shards).keep_draining(())
        assert await JournalControl(shards).draining() == set()
