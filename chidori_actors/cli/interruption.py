"""Ctrl-C and SIGTERM: the run's task is cancelled and cleans up, and the user is told how the run goes on."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

EXIT_INTERRUPTED = 130

T = TypeVar("T")


class Interrupted(Exception):
    """The user stopped the command; ``str()`` is what to tell."""


def run_interruptibly(work: Coroutine[Any, Any, T], continuation: Callable[[], str | None] = lambda: None) -> T:
    """Run ``work`` on a new event loop.

    ``continuation`` gives the command that continues its run, once there is one.

    Raises:
        Interrupted: SIGINT or SIGTERM came; ``work`` was cancelled and has ended.
    """
    try:
        return asyncio.run(_with_sigterm(work))
    except (KeyboardInterrupt, asyncio.CancelledError):
        command = continuation()
        raise Interrupted(f"Interrupted. Continue with: {command}" if command else "Interrupted.") from None
    except Exception as error:
        command = continuation()
        if command:
            error.add_note(command)
        raise


async def _with_sigterm(work: Coroutine[Any, Any, T]) -> T:
    # asyncio.run does this for SIGINT and for no other signal.
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await work
