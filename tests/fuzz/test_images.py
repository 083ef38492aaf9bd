"""Images that are no longer what was stored: passed over with a word, and never a VM with another memory."""

import asyncio
import struct

from hypothesis import strategies as st

from chidori_actors.journal.images import StoredImage, newest_image
from chidori_actors.journal.local_store import LocalStore
from chidori_actors.journal.store import Write
from chidori_actors.vm.engine import load_engine
from chidori_actors.vm.golden import PAGE, STACK_TOP
from chidori_actors.vm.image import Image, ImageRejected
from tests.support.agents import output_of, runtime_in

from .mangling import examples, fuzz, mangled_bytes
from .recorded import Pair, Recorded, flipped, flips, resume, spoil


def _of_store(recorded: Recorded) -> dict[tuple[int, int], StoredImage]:
    """Every stored image by its lane and how much it was given."""
    spoil(recorded, [])
    store = LocalStore.open(recorded.store)
    found = {}
    for name, key, _ in recorded.pairs:
        if name == "images":
            lane, delivered = struct.unpack(">QQ", key)
            image, rejected = newest_image(store, lane, at_most=delivered)
            assert image is not None
            assert rejected == []
            found[lane, delivered] = image
    store.close()
    return found


def _spoilt(images: list[Pair]) -> st.SearchStrategy[Write]:
    """One image flipped in a bit (mostly of its beginning), cut, mangled, or in the place of another."""

    def of(pair: Pair) -> st.SearchStrategy[bytes]:
        _, _, value = pair
        head = st.integers(0, min(len(value), 600) * 8 - 1).map(lambda bit: flipped(value, bit))
        others = [other for _, _, other in images if other != value]
        return (
            head
            | mangled_bytes([value])
            | st.integers(0, len(value) - 1).map(lambda end: value[:end])
            | st.sampled_from(others)
        )

    one = st.sampled_from(images).flatmap(lambda pair: of(pair).map(lambda value: Write("images", pair[1], value)))
    return one | flips(images)


@examples
def test_a_stored_image_is_the_one_that_was_stored_or_passed_over(examples: int, recorded: Recorded) -> None:
    images = [pair for pair in recorded.pairs if pair[0] == "images"]
    intact = _of_store(recorded)
    assert len(intact) > 3

    def check(write: Write) -> None:
        spoil(recorded, [write])
        lane, delivered = struct.unpack(">QQ", write.key)
        store = LocalStore.open(recorded.store)
        image, rejected = newest_image(store, lane, at_most=delivered)
        store.close()
        assert image is None or image == intact[lane, image.delivered]
        # What is mangled may still say the same: bytes behind the end of what is compressed do not count.
        assert rejected or image == intact[lane, delivered]

    fuzz(examples, _spoilt(images), check)


@examples
def test_a_run_goes_on_as_it_would_have_whatever_became_of_its_images(examples: int, recorded: Recorded) -> None:
    images = [pair for pair in recorded.pairs if pair[0] == "images"]

    async def go_on() -> None:
        async with runtime_in(recorded.folder, image_every=1) as runtime:
            assert output_of(await resume(runtime)) == recorded.output

    def check(writes: list[Write]) -> None:
        spoil(recorded, writes)
        asyncio.run(go_on())

    fuzz(examples // 2, st.lists(_spoilt(images), min_size=1, max_size=4), check)


@examples
def test_bytes_are_an_image_that_fits_or_rejected(examples: int, recorded: Recorded) -> None:
    """What the checksums let through is looked at again."""
    golden = load_engine().golden_memory
    valid = next(iter(_of_store(recorded).values())).payload
    head = struct.Struct("<II")
    made = st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 40) | st.integers(0, 2**32 - 1)).map(
        lambda numbers: head.pack(*numbers) + valid[head.size :]
    )

    def check(data: bytes) -> None:
        try:
            image = Image.decode("golden", data, golden)
        except ImageRejected:
            return
        assert len(image.pages) == PAGE * len(image.numbers)
        assert all(STACK_TOP // PAGE <= number < image.memory_bytes // PAGE for number in image.numbers)
        assert image.encode(golden) == data

    fuzz(examples, mangled_bytes([valid]) | made | st.binary(max_size=64), check)
