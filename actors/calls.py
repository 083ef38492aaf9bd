"""Calling Ray actors."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from ray.exceptions import RayActorError, RayTaskError

from chidori_actors.errors import ChidoriError

_PAUSE_S = 0.2


async def answer(call: Awaitable[Any]) -> Any:
    """The result of an actor's method; an error that a user can act on comes as it was raised there.

    Raises:
        ray.exceptions.RayError: the actor or the cluster failed, or the method has a bug.
    """
    try:
        return await call
    except RayTaskError as failed:
        if isinstance(failed.cause, ChidoriError):  # in Ray's wrapping its text is a traceback
            raise failed.cause from None
        raise


async def patient_answer(call: Callable[[], Awaitable[Any]], seconds: float) -> Any:
    """The same of an actor that Ray may be starting again just now: ``call`` is made anew for so long.

    Raises:
        ray.exceptions.RayError: as ``answer`` does; the actor cannot be reached for so long.
        ChidoriError: what the method says.
    """
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while True:
        try:
            return await answer(call())
        except RayActorError:
            if loop.time() > until:
                raise
        await asyncio.sleep(_PAUSE_S)
