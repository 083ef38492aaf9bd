"""Checkpoint files that somebody damaged: refused with nothing stored, or imported as a run that can be looked at."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import strategies as st

from chidori_actors.client.checkpoint import Checkpoint
from chidori_actors.client.errors import ClientError
from chidori_actors.errors import ChidoriError
from chidori_actors.history import snapshot
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store
from chidori_actors.journal.writes import DATABASES
from chidori_actors.languages.bundle import Bundle
from chidori_actors.transfer import export_run, import_checkpoint
from tests.support.agents import runtime_in

from .mangling import examples, fuzz, mangled, mangled_bytes, refusal_of
from .recorded import Recorded, spoil


@pytest.fixture(scope="module")
def documents(recorded: Recorded) -> list[Any]:
    """What `chidori export` writes of both runs."""
    spoil(recorded, [])
    store = LocalStore.open(recorded.store)
    found = [orjson.loads(export_run(store, get_run(store, name))) for name in ("one", "done")]
    store.close()
    return found


def content(store: Store) -> dict[str, list[tuple[bytes, bytes]]]:
    """Everything in the store but the epochs of leases, which any attempt to write a run may raise."""
    pairs: dict[str, list[tuple[bytes, bytes]]] = {name: list(store.scan(name)) for name in DATABASES}
    pairs["meta"] = [pair for pair in pairs["meta"] if pair[0] != b"lanes" and not pair[0].startswith(b"lease")]
    return pairs


def _files(documents: list[Any]) -> st.SearchStrategy[bytes]:
    sources = [{"bundle": orjson.loads(document["bundle"])} for document in documents]

    def with_bundle(data: bytes) -> bytes:
        """The source is a text in the file: it is mangled for itself."""
        return orjson.dumps(documents[0] | {"bundle": data.decode("utf-8", "replace")})

    bundles = mangled([source["bundle"] for source in sources]).map(with_bundle)
    return mangled(documents) | bundles


@examples
def test_a_file_is_refused_or_imported_whole(examples: int, documents: list[Any], tmp_path: Path) -> None:
    fuzz(examples // 2, _files(documents), lambda data: check_file(tmp_path, data))


def check_file(folder: Path, data: bytes) -> None:
    asyncio.run(_import(folder, data))


async def _import(folder: Path, data: bytes) -> None:
    async with runtime_in(folder) as runtime:
        before = content(runtime.store)
        # A fresh id each time: the store goes on from example to example.
        run_id = f"run-{len(before['runs'])}"
        meta = None
        with contextlib.suppress(ChidoriError):
            meta = await import_checkpoint(runtime.store, data, run_id=run_id)
        if meta is None:
            assert content(runtime.store) == before
            return
        assert meta.id == run_id
        export_run(runtime.store, meta)
        snapshot(runtime.store, meta)
        with contextlib.suppress(ChidoriError):
            await runtime.replay(run_id)


@examples
def test_a_source_bundle_is_read_or_refused(examples: int, documents: list[Any]) -> None:
    def check(data: bytes) -> None:
        try:
            bundle = Bundle.from_json(data)
        except ValueError:
            return
        bundle.manifest()
        assert Bundle.from_json(bundle.to_json()) == bundle

    fuzz(examples, mangled([orjson.loads(document["bundle"]) for document in documents]), check)


@examples
def test_the_client_reads_a_checkpoint_or_refuses_it(examples: int, documents: list[Any], tmp_path: Path) -> None:
    def check(data: bytes) -> None:
        path = tmp_path / "checkpoint.json"
        path.write_bytes(data)
        refusal = refusal_of(ClientError, lambda: Checkpoint.load(path).save(tmp_path / "again.json"))
        assert refusal is None or "checkpoint" in str(refusal)

    fuzz(examples, mangled(documents) | mangled_bytes([b'{"id": "x", "input": 1, "call_log": []}']), check)
