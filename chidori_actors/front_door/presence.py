"""Work for a client that may go away before it is done."""

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from aiohttp import web

_LOOK_S = 0.25

T = TypeVar("T")


async def while_connected(request: web.Request, work: Coroutine[Any, Any, T]) -> T:
    """What ``work`` gives; it is cancelled when the client is gone, and has ended when this does.

    Raises:
        ConnectionResetError: the client is gone.
    """
    task = asyncio.create_task(work)
    try:
        while not (await asyncio.wait([task], timeout=_LOOK_S))[0]:
            if request.transport is None or request.transport.is_closing():
                raise ConnectionResetError("the client is gone")
        return task.result()
    finally:
        task.cancel()
        await asyncio.wait([task])
