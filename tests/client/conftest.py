from collections.abc import AsyncIterator
from typing import Any

import pytest

from .both import Client, Connect, connect


@pytest.fixture(params=["blocking", "asynchronous"])
async def client_of(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Connect]:
    """Makes clients of a URL, of both kinds in turn."""
    monkeypatch.delenv("CHIDORI_API_KEY", raising=False)
    monkeypatch.delenv("CHIDORI_URL", raising=False)
    made: list[Client] = []

    def make(url: str, **options: Any) -> Client:
        made.append(connect(request.param, url, **options))
        return made[-1]

    yield make
    for client in made:
        await client.close()
