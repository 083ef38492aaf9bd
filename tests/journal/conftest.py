from collections.abc import Iterator
from pathlib import Path

import pytest

from chidori_actors.journal.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store.open(tmp_path / "store")
    yield opened
    opened.close()
