"""Checkpoint files of trees that somebody changed: imported, or refused with the field named."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chidori_actors.errors import ChidoriError
from chidori_actors.imported_run import describe_import
from chidori_actors.journal.checkpoint import parse_checkpoint
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.runs import list_runs
from chidori_actors.journal.store import Store
from chidori_actors.transfer import import_checkpoint
from tests.support.agents import runtime_in
from tests.support.nested_agent import paused_tree, world


def change(document: Any, path: Sequence[str], value: Any) -> None:
    """Put ``value`` at that path of the document."""
    *parents, last = path
    for name in parents:
        document = document[int(name) if isinstance(document, list) else name]
    document[int(last) if isinstance(document, list) else last] = value


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        ("actors", {}, "`actors` is not an array"),
        ("actors.0", 3, "`actors[0]` is not an object"),
        ("actors.0.path", "b0", "`actors[0].path` is not a path such as 4 or 7/b1"),
        ("actors.0.path", None, "`actors[0].path` is not a path such as 4 or 7/b1"),
        ("actors.0.path", "3/b1", "`actors[1].path` is that of another actor"),
        ("actors.0.path", "9/b0", "`actors[0]` is not in a call of `parallel`"),
        ("actors.1.path", "3/b7", "`actors[3]` is inside of an actor that the file does not have"),
        ("actors.0.kind", "tool", "`actors[0].kind` is not what an actor 3/b0 can be"),
        ("actors.3.kind", "branch", "`actors[3].kind` is not what an actor 3/b1/1 can be"),
        ("actors.3.kind", "tool", "`actors[3]` is not in a call of `tool`"),
        ("actors.0.status", "paused", "`actors[0].status` is not one of running, completed"),
        ("actors.0.epoch_ms", None, "has no `epoch_ms`"),
        ("actors.0.epoch_ms", -1, "`actors[0].epoch_ms` is not a whole number"),
        ("actors.0.ended", "3", "`actors[0].ended` is not a whole number"),
        ("actors.0.seq", 1.5, "`actors[0].seq` is not a whole number"),
        ("actors.0.status", "failed", "`actors[0].error.message` is missing"),
        ("actors.3.bundle", "none", "`actors[3].bundle` is not one of `bundles`"),
        ("actors.3.bundle", 3, "`actors[3].bundle` is not a string"),
        ("actors.5.inherited", 3, "`actors[5].inherited` is not an array"),
        ("actors.5.inherited.0.key", 1, "`actors[5].inherited[0]` is not a settlement of a call of the parent"),
        ("actors.5.inherited.0.index", None, "`actors[5].inherited[0]` is not a settlement"),
        ("actors.5.inherited.0.error", {"name": "E"}, "`actors[5].inherited[0].error.message` is missing"),
        ("bundles", [], "`bundles` is not an object"),
        ("call_log.0.index", 99, "`index` is not above that of the record before"),
        ("call_log.0.seq", 3, "is that of another call"),
        ("call_log.0.path", "3/b0/b1", "`path` is not a path"),
        ("call_log.1.parent_seq", 1, "`parent_seq` of call"),
        ("run.attempt", 10**9, "`run.attempt` is more than"),
    ],
)
async def test_a_field_of_an_actor_that_cannot_be_is_named(
    tree_file: bytes, tmp_path: Path, path: str, value: Any, text: str
) -> None:
    document = orjson.loads(tree_file)
    change(document, path.split("."), value)
    async with runtime_in(tmp_path) as runtime:
        with pytest.raises(ChidoriError) as caught:
            await import_checkpoint(runtime.store, orjson.dumps(document))
        assert "the checkpoint file cannot be used" in str(caught.value)
        assert text in str(caught.value)
        assert list_runs(runtime.store).runs == []


@pytest.fixture(scope="module")
def tree_file(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The checkpoint of a paused run of ``TREE``."""

    async def make() -> bytes:
        async with world() as served:
            return (await paused_tree(tmp_path_factory.mktemp("tree"), served))[0]

    return asyncio.run(make())


def _places(value: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, item in items:
        yield (*path, str(name))
        yield from _places(item, (*path, str(name)))


JUNK = b'null true 0 1 -1 2.5 1000000000000000 "" "x" "1" "3/b0" "3/b1/1" [] [1] {} {"a":1} [{}]'.split()
CARRIED = ("call_log", "actors", "bundles", "run", "snapshot_manifest")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_mangled_file_is_imported_or_refused_in_clear_words(
    tree_file: bytes, empty_store: Store, data: st.DataObject
) -> None:
    document = orjson.loads(tree_file)
    for _ in range(data.draw(st.integers(1, 3))):
        section = data.draw(st.sampled_from(CARRIED))
        place = data.draw(st.sampled_from([(), *_places(document[section])]))
        change(document, (section, *place), orjson.loads(data.draw(st.sampled_from(JUNK))))
    found, refusal = None, None
    try:
        found = describe_import(empty_store, parse_checkpoint(orjson.dumps(document)), "mangled")
    except ChidoriError as error:
        refusal = error
    if refusal is not None:
        assert "the checkpoint file" in str(refusal)
    else:
        assert found is not None
        assert len(found.lanes) == len(found.actors) + 1


@pytest.fixture
def empty_store(tmp_path: Path) -> Iterator[Store]:
    store = LocalStore.open(tmp_path / "empty")
    yield store
    store.close()
