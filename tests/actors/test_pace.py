"""Work that is begun in step with what the event loop can take."""

import asyncio
import time

from actors.pace import Pace


async def test_the_first_is_done_before_the_last_begins() -> None:
    pace, told = Pace(), list[str]()

    async def work(number: int) -> None:
        await pace.step()
        told.append(f"begins {number}")
        for _ in range(3):
            await asyncio.sleep(0.001)
            _compute(0.01)
        told.append(f"done {number}")

    await asyncio.gather(*map(work, range(10)))
    assert told.index("done 0") < told.index("begins 9")
    assert [word for word in told if word.startswith("begins")] == [f"begins {number}" for number in range(10)]


async def test_a_loop_that_is_never_calm_holds_nobody_for_long() -> None:
    pace = Pace()
    over = asyncio.Event()

    async def disturb() -> None:
        while not over.is_set():
            _compute(0.05)
            await asyncio.sleep(0)

    disturbing = asyncio.create_task(disturb())
    async with asyncio.timeout(30):
        await asyncio.gather(*(pace.step() for _ in range(5)))
    over.set()
    await disturbing


def _compute(seconds: float) -> None:
    """As a VM does: nothing else goes on."""
    time.sleep(seconds)
