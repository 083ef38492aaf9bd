"""Values in a store that are no longer what was written: said in words or without effect, and never taken for true."""

import asyncio
import contextlib
import itertools
from typing import Any

import click
import pytest
from click.testing import CliRunner
from hypothesis import strategies as st

from chidori_actors.cli import chidori
from chidori_actors.errors import ChidoriError
from chidori_actors.journal.events import read_events
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.memory import StoredMemory
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store, Write
from tests.cli.console import environment
from tests.support.agents import output_of, runtime_in

from .mangling import examples, fuzz, mangled_bytes, refusal_of
from .recorded import Pair, Recorded, flips, resume, spoil

COMMANDS = (
    ("runs",),
    ("runs", "--json", "--status", "paused"),
    ("trace", "one"),
    ("trace", "one", "--json"),
    ("snapshot", "one"),
    ("stats",),
    ("verify", "one", "done"),
    ("export", "one"),
    ("gc", "--older-than", "12h", "--yes"),
    ("gc", "--dry-run"),
    ("gc", "--compact"),
)


@pytest.fixture
def in_folder(recorded: Recorded, monkeypatch: pytest.MonkeyPatch) -> Recorded:
    for name, value in (environment(recorded.folder) | {"CHIDORI_DB_PATH": str(recorded.store)}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(recorded.folder)
    return recorded


def _manglings(recorded: Recorded) -> st.SearchStrategy[Write]:
    """One value flipped, mangled, gone, or at the place of another of its kind."""

    def spoilt(pair: Pair) -> st.SearchStrategy[Write]:
        database, key, value = pair
        others = [other for name, _, other in recorded.pairs if name == database]
        values = mangled_bytes([value]) | st.sampled_from(others) | st.none()
        return values.map(lambda new: Write(database, key, new))

    # Every database as often as every other, however much it holds.
    names = sorted({database for database, _, _ in recorded.pairs})
    one = st.sampled_from(names).flatmap(
        lambda name: st.sampled_from([pair for pair in recorded.pairs if pair[0] == name]).flatmap(spoilt)
    )
    return one | flips(recorded.pairs)


@examples
def test_no_flipped_bit_is_taken_for_true(examples: int, recorded: Recorded) -> None:
    """The run goes on to the same output, or says what is damaged."""

    def check(write: Write) -> None:
        spoil(recorded, [write])

        async def go_on() -> None:
            async with runtime_in(recorded.folder, image_every=1) as runtime:
                assert output_of(await resume(runtime)) == recorded.output

        with contextlib.suppress(ChidoriError):
            asyncio.run(go_on())

    fuzz(examples // 2, flips([pair for pair in recorded.pairs if pair[0] != "meta"]), check)


@examples
def test_commands_say_what_is_damaged(examples: int, in_folder: Recorded) -> None:
    def check(given: tuple[Write, tuple[str, ...]]) -> None:
        spoil(in_folder, [given[0]])
        assert_clear(*given[1])

    fuzz(examples, st.tuples(_manglings(in_folder), st.sampled_from(COMMANDS)), check)


def test_an_entry_in_the_place_of_another_is_damage(in_folder: Recorded) -> None:
    """A call's outcome may then have no beginning."""
    lanes = [pair for pair in in_folder.pairs if pair[0] == "lanes"]
    for (database, key, _), (_, other, value) in itertools.pairwise(lanes):
        if key[:8] == other[:8]:
            spoil(in_folder, [Write(database, key, value)])
            for command in ("verify", "export"):
                assert_clear(command, "done")


@examples
def test_readers_of_events_and_memory_say_what_is_damaged(examples: int, recorded: Recorded) -> None:
    pairs = [pair for pair in recorded.pairs if pair[0] in ("events", "memory")]

    def read(store: Store) -> tuple[Any, Any]:
        lanes = [get_run(store, run_id).lane for run_id in ("one", "done")]
        return [list(read_events(store, lane)) for lane in lanes], StoredMemory(store).scan("default", "")

    spoil(recorded, [])
    store = LocalStore.open(recorded.store)
    expected = read(store)
    store.close()

    def check(write: Write) -> None:
        spoil(recorded, [write])
        store = LocalStore.open(recorded.store)
        found: list[Any] = []
        refusal = refusal_of(ChidoriError, lambda: found.append(read(store)))
        store.close()
        assert found == [expected] if refusal is None else "is damaged" in str(refusal)

    fuzz(examples, flips(pairs), check)


def assert_clear(*arguments: str) -> None:
    """The command ends as one does: with an exit code, and with an error in words if that is 1."""
    result = CliRunner().invoke(chidori, arguments)
    if isinstance(result.exception, ChidoriError | click.ClickException):
        assert str(result.exception)
        return
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
