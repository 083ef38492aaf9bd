"""Calls that a run tells of before they are in the store."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from chidori_actors.answers import OpenQuestion
from chidori_actors.inspection.pictures import Pictures
from chidori_actors.journal.lanes import RUN_LANES, Started, encode_entry
from chidori_actors.journal.runs import RunMeta, run_writes
from tests.support.agents import runtime_in


@dataclass
class Telling:
    under_way: Mapping[str, Started] = field(default_factory=dict)
    questions: Sequence[OpenQuestion] = ()


async def test_a_call_that_was_told_of_and_is_made_anew_has_its_new_number(tmp_path: Path) -> None:
    """The process of its actor was lost before it was stored; the actor begins anew elsewhere."""
    async with runtime_in(tmp_path) as runtime:
        store = runtime.store
        meta = RunMeta("s", "/a.ts", "running", b"{}", 0, 0, "00", 0, RUN_LANES, {})
        await store.commit(run_writes(meta, new=True))
        pictures = Pictures(store)
        lost = Started(1, 5, 0, "prompt", b'{"text": "lost"}', 10)
        picture = await pictures.read("s", Telling({"1": lost}))
        assert list(picture.contents.by_seq) == [5]

        anew = Started(1, 9, 0, "prompt", b'{"text": "anew"}', 20)
        picture = await pictures.read("s", Telling({"1": anew}))
        assert [(seq, call.label) for seq, call in picture.contents.by_seq.items()] == [(9, "anew")]

        picture = await pictures.read("s", Telling({"1": lost}))
        await store.commit(encode_entry(RUN_LANES, 0, anew))
        picture = await pictures.read("s", Telling({"1": lost}))
        assert [(seq, call.label) for seq, call in picture.contents.by_seq.items()] == [(9, "anew")]
        version = picture.version
        assert (await pictures.read("s", Telling({"1": anew}))).version == version
        pictures.close()
