"""The directory of a journal shard's store."""

from pathlib import Path
from typing import NamedTuple

from chidori_actors.errors import StoreError
from chidori_actors.journal.environment import DATA_FILE, real_path
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.writes import Write

from .config import ClusterConfig

_SHARDS = b"shards"


class StoreFile(NamedTuple):
    """The file of a shard; ``shard`` is None when it is the only one. ``identity`` tells two files apart that have the
    same name on different machines: its inode, size in bytes, and time of change in nanoseconds."""

    shard: int | None
    identity: tuple[int, int, int]


def store_files(config: ClusterConfig) -> list[StoreFile]:
    """What of the store, made with whatever number of shards, is on this machine.

    Raises:
        StoreError: the directory cannot be looked at.
    """
    root = real_path(config.store)
    try:
        folders: list[tuple[int | None, Path]] = [(None, root)]
        folders += [(_number(folder), folder) for folder in root.glob("shard-*")]
        found = []
        for shard, folder in folders:
            file = folder / DATA_FILE
            if file.exists():
                about = file.stat()
                found.append(StoreFile(shard, (about.st_ino, about.st_size, about.st_mtime_ns)))
    except OSError as error:
        raise StoreError(f"cannot look at the store {root}: {error.strerror}") from error
    return found


def _number(folder: Path) -> int:
    text = folder.name.removeprefix("shard-")
    return int(text) if text.isdecimal() else -1


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
        raise other_number(root, "several shards", config)
    if config.shards > 1 and (root / DATA_FILE).exists():
        raise other_number(root, "one shard", config)
    store = LocalStore.open(path, durability=config.durability)
    wanted = f"{index}/{config.shards}".encode()

    def choose(found: list[tuple[bytes, bytes]]) -> list[Write]:
        known = dict(found).get(_SHARDS)
        if known is not None and known != wanted:
            number, _, shards = known.decode(errors="replace").partition("/")
            raise other_number(path, f"shard {number} of {shards}", config)
        return [] if known == wanted else [Write("meta", _SHARDS, wanted)]

    try:
        store.decide("meta", _SHARDS, choose)
    except BaseException:
        store.close()
        raise
    return store


def other_number(path: Path, made_for: str, config: ClusterConfig) -> StoreError:
    """The error that a store is of another number of shards than the cluster."""
    return StoreError(
        f"the store {path} was made with {made_for}, and this cluster is to have {config.shards}",
        hint="start the cluster with the number of shards that the store has; runs and memory lie by it",
    )
