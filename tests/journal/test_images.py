"""Which images are kept behind the newest one."""

import asyncio
from math import log2

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chidori_actors.journal.images import image_write, thin_images
from chidori_actors.journal.lanes import new_lane
from chidori_actors.journal.local_store import LocalStore


async def _take(store: LocalStore, lane: int, delivered: int, every: int) -> list[int]:
    """Take an image as an actor does; how far behind the newest the stored ones lie."""
    writes = thin_images(store, lane, delivered, every)
    await store.commit([*writes, image_write(lane, delivered, {}, b"%d" % delivered)])
    keys = store.keys("images", lane.to_bytes(8, "big"))
    return sorted(delivered - int.from_bytes(key[8:], "big") for key in keys)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    every=st.integers(1, 100),
    distances=st.lists(st.integers(1, 300) | st.integers(1, 5), min_size=1, max_size=60),
)
def test_few_images_are_kept_and_one_is_near_every_distance(
    store: LocalStore, every: int, distances: list[int]
) -> None:
    async def check() -> None:
        lane = await new_lane(store, "run")
        taken: list[int] = []
        delivered = 0
        for distance in distances:
            delivered += distance
            taken.append(delivered)
            behind = await _take(store, lane, delivered, every)
            assert behind[0] == 0
            assert behind[-1] == delivered - taken[0]
            assert len(behind) <= 4 + 2 * log2(max(behind[-1] / every, 1))
            for position in taken:
                wanted = delivered - position
                if wanted >= every:
                    assert any(wanted <= kept < 2 * wanted for kept in behind), (wanted, behind)

    asyncio.run(check())


async def test_images_at_even_distances_end_up_at_powers_of_two(store: LocalStore) -> None:
    for number in range(1, 257):
        behind = await _take(store, 1, number * 64, 64)
    assert len(behind) <= 2 * log2(256) + 3
    assert await _take(store, 2, 64, 64) == [0]
    assert all(farther > 2 * nearer for nearer, farther in zip(behind[1:], behind[3:], strict=False))


async def test_an_image_of_another_lane_or_a_later_delivery_is_left_alone(store: LocalStore) -> None:
    for lane, delivered in ((1, 100), (2, 1), (2, 2), (2, 3)):
        await store.commit([image_write(lane, delivered, {}, b"")])
    assert thin_images(store, 1, 50, 1) == []
