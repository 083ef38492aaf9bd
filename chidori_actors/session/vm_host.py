"""An actor's VM with what asyncio needs: steps that run long leave the event loop, and the VM can be rebuilt."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TypeVar

from ..journal.images import StoredImage
from ..vm.engine import Engine
from ..vm.image import Image
from ..vm.machine import Bounds, Machine, Said, StepOverran, VmFailed
from .origins import Origin

LOOP_SECONDS = 0.02
"""How long a step may hold the event loop; a longer one is repeated in the step pool."""

T = TypeVar("T")

Message = tuple[int, bytes]
"""Time in ms and JSON text, as the VM's step takes them."""


@dataclass(frozen=True, slots=True)
class History:
    """How to get a VM back: an image or nothing, and the messages given to it since."""

    image: StoredImage | None
    messages: Sequence[Message]


@dataclass(frozen=True, slots=True)
class VmResources:
    """What the VMs of a process share."""

    engine: Engine
    bounds: Bounds
    pool: Executor


class VmHost:
    """One actor's VM. ``seconds`` is the JavaScript time since the last image or start."""

    def __init__(self, shared: VmResources, origin: Origin, history: Callable[[int], History]) -> None:
        self._shared = shared
        self._origin = origin
        self._history = history
        self._machine: Machine | None = None
        self._slow = False
        self.delivered = 0
        self.seconds = 0.0

    async def begin(self) -> list[Said]:
        """Start the agent from its beginning.

        Raises:
            VmFailed: a bound was exceeded.
        """
        return await self._run(self._begin, lambda: self._begin(self._shared.bounds.step_seconds))

    def restore(self, image: StoredImage) -> None:
        """Go on from ``image``.

        Raises:
            ImageRejected: it cannot be used.
        """
        self._machine = self._restored(image)
        self.delivered = image.delivered

    async def deliver(self, messages: Sequence[Message]) -> list[Said]:
        """Give settlements to the VM, one by one; what it said.

        Raises:
            VmFailed: a bound was exceeded.
        """
        machine = self._machine
        assert machine is not None
        said = await self._run(lambda seconds: machine.step(messages, seconds), lambda: self._repeat(messages))
        self.delivered += len(messages)
        return said

    def image(self) -> Image:
        """The VM at this safepoint."""
        assert self._machine is not None
        return self._machine.image()

    def fork_image(self) -> Image:
        """The VM at this safepoint, for branches to start from."""
        assert self._machine is not None
        return self._machine.fork_image()

    async def fork_image_at(self, delivered: int) -> Image:
        """The same of the VM as it was after ``delivered`` settlements; made from the history beside the VM itself.

        Raises:
            VmFailed: a bound was exceeded.
        """

        def rebuilt() -> Image:
            machine = self._rebuilt(delivered)
            try:
                return machine.fork_image()
            finally:
                machine.close()

        try:
            return await self._in_pool(rebuilt)
        except StepOverran:
            raise self._overran() from None

    def close(self) -> None:
        """Free the VM."""
        if self._machine is not None:
            self._machine.close()
            self._machine = None

    async def _run(self, step: Callable[[float], list[Said]], repeat: Callable[[], list[Said]]) -> list[Said]:
        """``step`` here if it is short, otherwise in the pool; ``repeat`` does it anew after it was cut short."""
        started = time.perf_counter()
        try:
            if not self._slow:
                try:
                    return step(LOOP_SECONDS)
                except StepOverran:
                    # An actor that ran long once is likely to do so again, and a repetition costs twice.
                    self._slow = True
                    return await self._in_pool(repeat)
            limit = self._shared.bounds.step_seconds
            return await self._in_pool(lambda: step(limit))
        except StepOverran:
            raise self._overran() from None
        finally:
            self.seconds += time.perf_counter() - started

    def _overran(self) -> VmFailed:
        limit = self._shared.bounds.step_seconds
        return VmFailed(f"the agent ran for {limit:g} s without waiting for anything")

    async def _in_pool(self, work: Callable[[], T]) -> T:
        future = asyncio.get_running_loop().run_in_executor(self._shared.pool, work)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # The VM must not be freed under the thread that runs it, however often we are told to stop (Ctrl-C twice);
            # its own bound ends the step.
            while not future.done():
                with contextlib.suppress(asyncio.CancelledError):
                    await asyncio.wait([future])
            future.exception()
            raise

    def _begin(self, seconds: float) -> list[Said]:
        self.close()
        self._machine, said = self._origin.begin(self._shared.engine, self._shared.bounds, seconds)
        return said

    def _repeat(self, messages: Sequence[Message]) -> list[Said]:
        """The VM is gone: build it anew up to here and give it ``messages`` with all the time it may have."""
        self.close()
        self._machine = self._rebuilt(self.delivered)
        return self._machine.step(messages, self._shared.bounds.step_seconds)

    def _rebuilt(self, delivered: int) -> Machine:
        history = self._history(delivered)
        limit = self._shared.bounds.step_seconds
        if history.image is None:
            machine, _ = self._origin.begin(self._shared.engine, self._shared.bounds, limit)
        else:
            machine = self._restored(history.image)
        for message in history.messages:
            machine.step([message], limit)
        return machine

    def _restored(self, image: StoredImage) -> Machine:
        decoded = Image.decode(image.header["golden"], image.payload, self._shared.engine.golden_memory)
        return Machine.restore(self._shared.engine, decoded, self._shared.bounds)
