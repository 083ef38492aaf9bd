"""``timer``: waits; after a crash it simply waits again from the start."""

import asyncio

from .function import HostCall, HostFunction, HostResult, HostServices


def _seconds(ms: object) -> float:
    """What JavaScript's ``setTimeout`` makes of a delay: negative, NaN or no number at all is no delay."""
    if isinstance(ms, bool) or not isinstance(ms, int | float) or not ms > 0:
        return 0.0
    return ms / 1000


async def _run(call: HostCall, services: HostServices) -> HostResult:
    await asyncio.sleep(_seconds(call.args.get("ms")))
    return HostResult(b"null")


FUNCTION = HostFunction(name="timer", run=_run)
