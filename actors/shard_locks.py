"""Who has which run, in the memory of a journal shard. The epochs in the store keep out whoever is mistaken."""

import time


class ShardLocks:
    """Locks of clients that give signs of life; after ``lost_after_s`` without one, others may take what they had."""

    def __init__(self, lost_after_s: float) -> None:
        self._lost_after_s = lost_after_s
        self._owners: dict[str, str] = {}
        self._heard: dict[str, float] = {}

    def hear(self, client: str) -> bool:
        """The client lives; whether it was not known."""
        new = client not in self._heard
        self._heard[client] = time.monotonic()
        return new

    @property
    def clients(self) -> list[str]:
        """Those that have given a sign of life."""
        return list(self._heard)

    def knows(self, client: str) -> bool:
        """Whether the client has given a sign of life."""
        return client in self._heard

    def take(self, client: str, run_id: str) -> bool:
        """Whether the run is the client's from now on, or has been already."""
        owner = self._owners.get(run_id)
        if owner is not None and owner != client and not self._is_silent(owner):
            return False
        self._owners[run_id] = client
        return True

    def give(self, client: str, run_id: str) -> None:
        """The run is free, if it was the client's."""
        if self._owners.get(run_id) == client:
            del self._owners[run_id]

    def give_all(self, client: str) -> None:
        """The client is gone, and what it had is free."""
        self._owners = {run_id: owner for run_id, owner in self._owners.items() if owner != client}
        self._heard.pop(client, None)

    def drop_silent(self) -> list[str]:
        """Forget those that gave no sign of life for long; who they were."""
        silent = [client for client in self._heard if self._is_silent(client)]
        for client in silent:
            self.give_all(client)
        return silent

    def _is_silent(self, client: str) -> bool:
        heard = self._heard.get(client)
        return heard is None or time.monotonic() - heard > self._lost_after_s
