"""The pool that the tests of a module share. The first one on a machine compiles the interpreter: a minute."""

from collections.abc import AsyncIterator

import pytest_asyncio

from chidori_actors.sandbox.pool import WorkerPool


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def cpython() -> AsyncIterator[WorkerPool]:
    made = WorkerPool("cpython", 1)
    yield made
    await made.aclose()
