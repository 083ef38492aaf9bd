import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chidori_actors.journal.local_store import LocalStore

LIMIT_S = 60.0


@pytest.fixture
def store(tmp_path: Path) -> Iterator[LocalStore]:
    opened = LocalStore.open(tmp_path / "store")
    yield opened
    opened.close()


def mount(*args: str) -> bool:
    """Whether ``mount`` with these arguments succeeded."""
    return subprocess.run(["mount", *args], capture_output=True, timeout=LIMIT_S, check=False).returncode == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    if not mount("-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)):
        pytest.skip("mounting a small file system is not permitted here")
    yield place
    subprocess.run(["umount", str(place)], check=True, timeout=LIMIT_S)
