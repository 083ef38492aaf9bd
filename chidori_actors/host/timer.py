"""``timer``: waits; after a crash it waits for the rest of its time."""

import asyncio
import time

from .function import HostCall, HostFunction, HostResult, HostServices


def _seconds(ms: object) -> float:
    """What JavaScript's ``setTimeout`` makes of a delay: negative, NaN or no number at all is no delay."""
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not ms > 0:
        return 0.0
    return ms / 1000


async def wait(call: HostCall, services: HostServices) -> HostResult:
    """Wait for what is left of the call's time since it was made."""
    whole = _seconds(call.args.get("ms"))
    # Never more than the whole: the clock of the machine that goes on may differ.
    await asyncio.sleep(min(whole, max(0.0, call.at_ms / 1000 + whole - time.time())))
    return HostResult(b"null")


FUNCTION = HostFunction(name="timer", run=wait)
