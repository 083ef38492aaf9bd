"""The directory of a journal shard's store."""

from pathlib import Path

from chidori_actors.errors import StoreError
from chidori_actors.journal.environment import DATA_FILE, real_path
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.writes import Write

from .config import ClusterConfig

_SHARDS = b"shards"


def shard_path(config: ClusterConfig, index: int) -> Path:
    """Where the store of that shard lies. A cluster's only shard has the place of a store without a cluster.

    Raises:
        StoreError: the path leads nowhere.
    """
    root = real_path(config.store)
    return root if config.shards == 1 else root / f"shard-{index}"


def open_shard(config: ClusterConfig, index: int) -> LocalStore:
    """Open the store of that shard, and make it when there is none.

    Raises:
        StoreError: it was made for another number of shards, or cannot be opened.
    """
    root, path = real_path(config.store), shard_path(config, index)
    if config.shards == 1 and any(root.glob("shard-*")):
        raise _other_number(root, "several shards", config)
    if config.shards > 1 and (root / DATA_FILE).exists():
        raise _other_number(root, "one shard", config)
    store = LocalStore.open(path, durability=config.durability)
    wanted = f"{index}/{config.shards}".encode()

    def choose(found: list[tuple[bytes, bytes]]) -> list[Write]:
        known = dict(found).get(_SHARDS)
        if known is not None and known != wanted:
            number, _, shards = known.decode(errors="replace").partition("/")
            raise _other_number(path, f"shard {number} of {shards}", config)
        return [] if known == wanted else [Write("meta", _SHARDS, wanted)]

    try:
        store.decide("meta", _SHARDS, choose)
    except BaseException:
        store.close()
        raise
    return store


def _other_number(path: Path, made_for: str, config: ClusterConfig) -> StoreError:
    return StoreError(
        f"the store {path} was made with {made_for}, and this cluster is to have {config.shards}",
        hint="start the cluster with the number of shards that the store has; runs and memory lie by it",
    )
