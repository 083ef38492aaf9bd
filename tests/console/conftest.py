"""One Chromium for all browser tests of a process."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.console.chromium import CHROMIUM, chromium

_PATIENCE_MS = 20_000


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("there is no `chromium` to test the console with")
    expect.set_options(timeout=_PATIENCE_MS)
    async with chromium() as started:
        yield started
