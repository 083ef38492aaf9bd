"""Giving the disk back what a store does not need any more."""

from dataclasses import dataclass
from pathlib import Path

from .environment import DATA_FILE, open_environment, real_path


@dataclass(frozen=True, slots=True)
class Compaction:
    """The bytes of the store's data file, before and after."""

    before: int
    after: int


def compact(path: Path) -> Compaction:
    """Copy the store at ``path`` to a new file without free pages, and put that in the place of the old one.

    Whoever is killed meanwhile leaves the store as it was or compacted, never without one.

    Raises:
        StoreError: it is open, in this process or another; there is none; the disk has no room for the copy.
    """
    real = real_path(path)
    environment = open_environment(real, durability="strict", create=False, alone=True)
    file = real / DATA_FILE
    before = file.stat().st_size
    environment.replace_with_compacted()
    return Compaction(before, file.stat().st_size)
