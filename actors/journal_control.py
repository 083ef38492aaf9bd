"""The journal as the supervisor uses it: dead hosts are shut out of it, and it keeps what outlives the supervisor."""

import asyncio
from collections.abc import Collection, Sequence
from typing import Any

from ray.exceptions import RayActorError

from chidori_actors.journal.writes import Write

from .calls import answer
from .journal import pairs_digest
from .shards import ShardAddress

_DRAINING = b"cluster/draining"
"""The key in ``meta`` of shard 0 with the ids of the nodes that are being drained, or were."""
_RETRY_S = 0.2


class JournalControl:
    """Of these shards. A call waits while Ray starts a shard again: without it nothing can go on anyway."""

    def __init__(self, shards: Sequence[ShardAddress]) -> None:
        self.shards = shards

    async def forget(self, client: str) -> None:
        """From here on the client can write nothing more."""
        await asyncio.gather(*(self._ask(shard, "forget", client) for shard in self.shards))

    async def clients(self) -> set[str]:
        """Those that have given signs of life, and were not forgotten since."""
        known = await asyncio.gather(*(self._ask(shard, "clients") for shard in self.shards))
        return {client for clients in known for client in clients}

    async def draining(self) -> set[str]:
        """The nodes that were kept last."""
        kept: bytes = await self._ask(self.shards[0], "get", "meta", _DRAINING) or b""
        return set(kept.decode().split())

    async def keep_draining(self, nodes: Collection[str]) -> None:
        """Keep these in the place of those: as they are when they are written, should others change them meanwhile.

        Raises:
            StoreError: they cannot be written.
        """
        shard, kept = self.shards[0], False
        while not kept:
            old = await self._ask(shard, "get", "meta", _DRAINING)
            digest = pairs_digest([] if old is None else [(_DRAINING, old)])
            write = Write("meta", _DRAINING, " ".join(sorted(nodes)).encode())
            kept = await self._ask(shard, "compare_and_commit", "meta", _DRAINING, digest, [write])

    async def _ask(self, shard: ShardAddress, method: str, *args: object) -> Any:
        while True:
            try:
                return await answer(getattr(shard.actor, method).remote(*args))
            except RayActorError:
                await asyncio.sleep(_RETRY_S)
