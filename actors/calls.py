"""Calling Ray actors."""

from collections.abc import Awaitable
from typing import Any

from ray.exceptions import RayTaskError

from chidori_actors.errors import ChidoriError


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
