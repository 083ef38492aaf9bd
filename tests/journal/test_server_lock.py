"""One server at a time on a store."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chidori_actors.errors import StoreError
from chidori_actors.journal.local_store import LocalStore

HOLDER = """
import asyncio, sys
from pathlib import Path
from chidori_actors.journal.server_lock import ServerLock
from chidori_actors.journal.local_store import LocalStore


async def hold():
    async with LocalStore.open(Path(sys.argv[1])).serving():
        print("held", flush=True)
        await asyncio.sleep(120)

asyncio.run(hold())
"""


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[LocalStore]:
    opened = LocalStore.open(tmp_path / "store")
    yield opened
    opened.close()


async def test_a_second_server_is_refused_with_the_name_of_the_first(store: LocalStore) -> None:
    async with store.serving():
        with pytest.raises(StoreError) as caught:
            async with store.serving():
                raise AssertionError("two servers")
    assert f"{store.path} is served by another server (host {socket.gethostname()}, pid {os.getpid()}, since 20" in str(
        caught.value
    )
    assert "CHIDORI_DB_PATH" in str(caught.value.hint)


async def test_a_refused_server_is_told_where_the_first_has_its_console(store: LocalStore) -> None:
    async with store.serving() as announce:
        announce("http://127.0.0.1:1234")
        with pytest.raises(StoreError, match=r"at http://127\.0\.0\.1:1234$") as caught:
            await store.serving().__aenter__()
    assert "http://127.0.0.1:1234/console/" in str(caught.value.hint)


async def test_a_refused_server_does_not_take_the_lock_from_the_first(store: LocalStore) -> None:
    async with store.serving():
        for _ in range(2):
            with pytest.raises(StoreError, match=f"pid {os.getpid()}"):
                await store.serving().__aenter__()


async def test_the_lock_is_free_again_when_the_server_stopped_however_it_did(store: LocalStore) -> None:
    with pytest.raises(ZeroDivisionError):
        async with store.serving():
            raise ZeroDivisionError
    async with store.serving():
        pass


async def test_a_killed_server_frees_the_store(store: LocalStore) -> None:
    command = (sys.executable, "-c", HOLDER, str(store.path))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        assert await asyncio.wait_for(process.stdout.readline(), timeout=60) == b"held\n"
        with pytest.raises(StoreError, match=f"pid {process.pid},"):
            await store.serving().__aenter__()
    finally:
        process.kill()
        await process.wait()
    async with store.serving():
        pass


async def test_the_lock_keeps_no_run_from_its_owner(store: LocalStore) -> None:
    async with store.serving():
        assert store.locks().lock("run-1")
    assert not store.locks().lock("run-1"), "closing the server's file freed a run"
