"""Messages between hosts: in order, each once, and many in one call."""

import asyncio
from collections.abc import Callable, Iterator
from itertools import chain, repeat
from typing import Any, Protocol

import ray.exceptions

from .references import References, dumps, loads

Message = tuple[Any, ...]
"""The name of what is told, and its arguments."""

_WINDOW = 4
"""So many calls to a peer may be under way: one takes a millisecond, most of which is waiting."""
_PAUSES_S = (0.02, 0.05, 0.1, 0.2, 0.5, 1.0)


class Peer(Protocol):
    """The other end: a host's handle."""

    def exchange(self, sender: str, number: int, payload: bytes, references: References) -> asyncio.Future[bool]:
        """Whether it still hears the sender. Raises what Ray raises when the actor is gone or cannot be reached."""
        ...

    def watch(self) -> asyncio.Future[None]:
        """Is done when the actor is gone, with what Ray raises then."""
        ...


class Links:
    """A host's links to all others, which are known by name. ``told`` is given what a peer says, ``lost`` its name when
    it is gone for good; both at once, on the event loop.
    """

    def __init__(
        self,
        me: str,
        find: Callable[[str], Peer | None],
        told: Callable[[str, Message], None],
        lost: Callable[[str], None],
        *,
        lost_after_s: float,
    ) -> None:
        self._me = me
        self._find = find
        self._told = told
        self._lost = lost
        self._lost_after_s = lost_after_s
        self._outgoing: dict[str, _Outgoing] = {}
        self._incoming: dict[str, _Incoming] = {}
        self._gone: set[str] = set()

    def send(self, peer: str, message: Message) -> None:
        """Tell a peer. To one that is gone nothing is told."""
        if peer in self._gone:
            return
        outgoing = self._outgoing.get(peer)
        if outgoing is None:
            found = self._find(peer)
            if found is None:
                asyncio.get_running_loop().call_soon(self.bury, peer)
                return
            outgoing = self._outgoing[peer] = _Outgoing(self._me, found, self._lost_after_s, lambda: self.bury(peer))
        outgoing.send(message)

    def received(self, sender: str, number: int, payload: bytes, references: References) -> bool:
        """Take what a peer sent; False for one that is held for gone, which must not go on."""
        if sender in self._gone:
            return False
        incoming = self._incoming.get(sender)
        if incoming is None:
            incoming = self._incoming[sender] = _Incoming()
        for message in incoming.take(number, payload, references):
            try:
                self._told(sender, message)
            except Exception as error:  # what came with it is meant for others
                _report(f"what {sender} said could not be heard: {message[:3]}", error)
        return True

    def bury(self, peer: str) -> None:
        """The peer is gone: it is told and heard nothing any more. Idempotent."""
        if peer in self._gone:
            return
        self._gone.add(peer)
        self._incoming.pop(peer, None)
        outgoing = self._outgoing.pop(peer, None)
        if outgoing is not None:
            outgoing.close()
        self._lost(peer)

    async def aclose(self) -> None:
        """Stop sending."""
        for outgoing in self._outgoing.values():
            outgoing.close()
        self._outgoing.clear()


class _Outgoing:
    def __init__(self, me: str, peer: Peer, lost_after_s: float, gone: Callable[[], None]) -> None:
        self._me = me
        self._peer = peer
        self._lost_after_s = lost_after_s
        self._gone = gone
        self._waiting: list[Message] = []
        self._number = 0
        self._under_way: set[asyncio.Task[None]] = set()
        self._scheduled = False
        # A peer that is told nothing for long may be waited for all the same.
        self._watching = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            try:
                await self._peer.watch()
            except ray.exceptions.ActorDiedError:
                self._gone()
                return
            except ray.exceptions.RayError:
                await asyncio.sleep(_PAUSES_S[-1])

    def send(self, message: Message) -> None:
        self._waiting.append(message)
        if not self._scheduled and len(self._under_way) < _WINDOW:
            # What else is said in this turn of the loop goes with it.
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._flush)

    def close(self) -> None:
        self._waiting.clear()
        for task in (self._watching, *self._under_way):
            task.cancel()

    def _flush(self) -> None:
        self._scheduled = False
        if self._waiting and len(self._under_way) < _WINDOW:
            messages, self._waiting = self._waiting, []
            payload, references = _packed(messages)
            self._number += 1
            task = asyncio.create_task(self._deliver(self._number, payload, references))
            self._under_way.add(task)
            task.add_done_callback(self._delivered)

    def _delivered(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            self._flush()

    async def _deliver(self, number: int, payload: bytes, references: References) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._lost_after_s
        for pause in chain(_PAUSES_S, repeat(_PAUSES_S[-1])):
            try:
                async with asyncio.timeout_at(until):
                    if not await self._peer.exchange(self._me, number, payload, references):
                        self._gone()
                return
            except ray.exceptions.ActorDiedError:
                break
            except ray.exceptions.RayError:  # it may or may not have come
                if loop.time() + pause > until:
                    break
                await asyncio.sleep(pause)
            except TimeoutError:
                break
        self._gone()


class _Incoming:
    """What one peer sent: a call that was repeated may come twice, and later than the next."""

    def __init__(self) -> None:
        self._next = 1
        self._early: dict[int, tuple[bytes, References]] = {}

    def take(self, number: int, payload: bytes, references: References) -> Iterator[Message]:
        if number < self._next:
            return
        self._early[number] = payload, references
        while (ready := self._early.pop(self._next, None)) is not None:
            self._next += 1
            yield from loads(*ready)


def _packed(messages: list[Message]) -> tuple[bytes, References]:
    try:
        return dumps(messages)
    except Exception:  # whatever a value's class does there; the others are to arrive
        return dumps([message for message in messages if _can_be_sent(message)])


def _can_be_sent(message: Message) -> bool:
    try:
        dumps(message)
    except Exception as error:
        _report(f"what cannot be pickled cannot be told: {message[:3]}", error)
        return False
    return True


def _report(what: str, error: Exception) -> None:
    asyncio.get_running_loop().call_exception_handler({"message": what, "exception": error})
