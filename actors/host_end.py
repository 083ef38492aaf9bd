"""A front's end of its connection to one host: work and actions go there in batches, news come back."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from ray.exceptions import ActorUnavailableError, RayActorError

from .news import Action, Stopping, Told
from .work import Listening, Work

_PAUSE_S = 0.1
_LAST_WORDS_S = 10.0


class HostLink(Protocol):
    """A host as fronts call it. Every method raises ``RayActorError`` when the host is gone or cannot be reached."""

    def begin(self, front: str, works: Sequence[Work]) -> Awaitable[None]: ...

    def follow(self, front: str, after: int) -> Awaitable[list[Told]]: ...

    def attend(self, run_id: str, listening: Listening) -> Awaitable[bool]: ...

    def act(self, front: str, actions: Sequence[Action]) -> Awaitable[None]: ...


class HostEnd:
    """``told`` is given what the host says, ``lost`` is called once when it is gone. It is followed while
    ``is_needed``."""

    def __init__(
        self,
        link: HostLink,
        front: str,
        told: Callable[[Told], None],
        is_needed: Callable[[], bool],
        lost: Callable[[], None],
    ) -> None:
        self._link = link
        self._front = front
        self._told = told
        self._is_needed = is_needed
        self._lost = lost
        self._after = 0
        self._works: list[tuple[Work, asyncio.Future[None]]] = []
        self._actions: list[Action] = []
        self._acting: asyncio.Task[None] | None = None
        self._following: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def begin(self, work: Work) -> None:
        """Have the host drive the run. What else is begun in this turn of the loop goes with it.

        Raises:
            RayActorError: the host is gone; it may have begun.
        """
        begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if not self._works:
            asyncio.get_running_loop().call_soon(self._send_works)
        self._works.append((work, begun))
        await begun

    async def attend(self, run_id: str, listening: Listening) -> bool:
        """Attend a run that the host drives; False when it does not.

        Raises:
            RayActorError: the host is gone.
        """
        while True:
            try:
                return await self._link.attend(run_id, listening)
            except ActorUnavailableError:
                await asyncio.sleep(_PAUSE_S)

    def act(self, action: Action) -> None:
        """Have the host do it, after what it was to do before."""
        self._actions.append(action)
        if self._acting is None or self._acting.done():
            self._acting = asyncio.create_task(self._act())

    def follow(self) -> None:
        """Listen to the host, if nobody does yet."""
        if self._following is None or self._following.done():
            self._following = asyncio.create_task(self._follow())

    async def aclose(self) -> None:
        """Do what is to be done yet, and listen no more."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_LAST_WORDS_S)
        if self._acting is not None:
            await asyncio.wait([self._acting], timeout=_LAST_WORDS_S)
        left = [
            *self._tasks,
            *([self._acting] if self._acting else []),
            *([self._following] if self._following else []),
        ]
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)

    def _send_works(self) -> None:
        works, self._works = self._works, []
        task = asyncio.create_task(self._begin(works))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _begin(self, works: Sequence[tuple[Work, asyncio.Future[None]]]) -> None:
        error: Exception | None = None
        while True:
            try:
                await self._link.begin(self._front, [work for work, _ in works])
                break
            except ActorUnavailableError:
                await asyncio.sleep(_PAUSE_S)  # it knows what it has begun, and does not begin it again
            except Exception as failed:
                error = failed
                break
        for work, begun in works:
            if not begun.done():
                begun.set_result(None) if error is None else begun.set_exception(error)
            elif error is None and not work.listening.publish:
                self.act(Action(work.run_id, Stopping()))  # whoever wanted it has gone meanwhile

    async def _act(self) -> None:
        while self._actions:
            actions, self._actions = self._actions, []
            while True:
                try:
                    await self._link.act(self._front, actions)
                    break
                except ActorUnavailableError:
                    await asyncio.sleep(_PAUSE_S)
                except RayActorError:
                    return  # its runs go on elsewhere, and what was said counts there

    async def _follow(self) -> None:
        while self._is_needed():
            try:
                news = await self._link.follow(self._front, self._after)
            except ActorUnavailableError:
                await asyncio.sleep(_PAUSE_S)
                continue
            except RayActorError:
                self._lost()
                return
            for each in news:
                if each.number > self._after:
                    self._after = each.number
                    self._told(each)
