"""The pool that the tests of a module share: a process costs more than most executions."""

from collections.abc import AsyncIterator

import pytest_asyncio

from chidori_actors.sandbox.pool import WorkerPool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool() -> AsyncIterator[WorkerPool]:
    made = WorkerPool("engine", 2)
    yield made
    await made.aclose()
