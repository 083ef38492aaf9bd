"""A JavaScript VM that runs one agent: begin it, step it, take its image, restore it. No I/O, no asyncio."""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson
import wasmtime

from .. import exact_json
from .engine import STACK_BYTES, TICK_SECONDS, Engine
from .golden import EXCHANGE_BYTES
from .heap import without_reactions
from .image import Image, ImageRejected, restore_image, take_image
from .imports import ImportsFrom, Sources

_MESSAGE = struct.Struct("<Iq")
_NO_MESSAGES: tuple[tuple[int, bytes], ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one VM may use."""

    memory_bytes: int = 128 << 20
    step_seconds: float = 10.0
    """JavaScript time between two safepoints."""


@dataclass(frozen=True, slots=True)
class Call:
    """A host call the agent made. ``after`` is how many settlements it had been given; ``args`` is JSON text;
    ``site`` is the stack frame that made it, in the transformed code, or empty."""

    ordinal: int
    after: int
    function: str
    site: str
    args: bytes


@dataclass(frozen=True, slots=True)
class Aborted:
    """The agent gave up on a call that it had made."""

    ordinal: int


@dataclass(frozen=True, slots=True)
class Printed:
    """The agent wrote to the console."""

    level: str
    text: str


@dataclass(frozen=True, slots=True)
class Returned:
    """The agent returned; ``output`` is JSON text."""

    output: bytes


@dataclass(frozen=True, slots=True)
class Threw:
    """The agent threw: ``name``, ``message``, ``stack`` and the ordinal of the call whose error it was, if any.

    ``data`` are that error's own fields, and ``inner`` says where it began when that was inside of another actor.
    """

    name: str
    message: str
    stack: str
    call: int | None
    data: dict[str, Any] | None = None
    inner: dict[str, Any] | None = None


_LEVEL = 1 << 40


def inherited_key(key: int) -> int:
    """The key in a branch of a call that has ``key`` in its parent: negative, so that it cannot be one of its own."""
    return -key if key > 0 else key - _LEVEL


def parents_key(key: int) -> int:
    """The key in its parent of a call that has the negative ``key`` in a branch."""
    return -key if key > -_LEVEL else key + _LEVEL


_THREW = {
    **dict.fromkeys(("name", "message", "stack"), str),
    "call": int | None,
    **dict.fromkeys(("data", "inner"), dict | None),
}
Said = Call | Aborted | Printed | Returned | Threw


def random_words(seed: str) -> list[int]:
    """128 bits for ``random`` of a VM's config: the same for the same seed."""
    return list(struct.unpack_from("<4I", hashlib.sha256(f"random:{seed}".encode()).digest()))


class StepOverran(Exception):
    """A step did not end within its deadline. The VM is gone."""


class VmFailed(Exception):
    """A bound was exceeded or the VM trapped; the message names what, and ``bound`` which one. The VM is gone."""

    def __init__(self, message: str, bound: Literal["memory", "stack"] | None = None) -> None:
        super().__init__(message)
        self.bound = bound


class Machine:
    """One VM. Not thread-safe, but may be used from different threads one after the other."""

    __slots__ = ("_bounds", "_engine", "_instance", "_written")

    def __init__(self, engine: Engine, bounds: Bounds) -> None:
        self._engine = engine
        self._bounds = bounds
        # Growth is refused at twice the bound, and the bound itself checked after each step: JavaScript can catch an
        # allocation that fails, and would otherwise go on in a VM that is out of memory.
        self._instance = engine.instantiate(2 * bounds.memory_bytes)
        self._written = 0

    @classmethod
    def restore(cls, engine: Engine, image: Image, bounds: Bounds) -> "Machine":
        """A VM that goes on where ``image`` was taken.

        Raises:
            ImageRejected: the image is of another golden image or does not fit the bounds.
        """
        if image.golden != engine.golden:
            raise ImageRejected("the image was taken with another build of the engine or the prelude")
        if image.memory_bytes > 2 * bounds.memory_bytes:
            raise ImageRejected("the image needs more memory than the bound allows")
        machine = cls(engine, bounds)
        restore_image(machine._instance, image)
        return machine

    def begin(
        self, config: dict[str, Any], input_json: bytes, sources: Sources, now_ms: int, seconds: float
    ) -> list[Said]:
        """Load the agent's modules and call it. ``config``: see prelude/realm.js."""
        message = b'[0,{"input":%b,%b]' % (input_json, orjson.dumps(config)[1:])
        with ImportsFrom(self._instance, sources):
            return self.step([(now_ms, message)], seconds)

    def fork(self, config: dict[str, Any], now_ms: int, seconds: float) -> list[Said]:
        """Turn this VM, restored from a parent's ``fork_image``, into a branch. ``config``: see prelude/realm.js.

        Calls that the parent had made can be settled in here under the key ``inherited_key``.
        """
        return self.step([(now_ms, b"[0,%b]" % orjson.dumps(config))], seconds)

    def step(self, messages: Sequence[tuple[int, bytes]] = _NO_MESSAGES, seconds: float | None = None) -> list[Said]:
        """Give the VM each message (time in ms, JSON text) in turn, drain its jobs after each; what it said.

        Raises:
            StepOverran: it took longer than ``seconds`` (default: the bound).
            VmFailed: a bound was exceeded.
        """
        limit = self._bounds.step_seconds if seconds is None else seconds
        self._instance.store.set_epoch_deadline(int(limit / TICK_SECONDS) + 1)
        said: list[Said] = []
        for data in _portions(messages):
            try:
                text = self._exchange(data)
            except (wasmtime.Trap, wasmtime.WasmtimeError) as stop:
                self.close()
                raise _explain(stop) from None
            if self._instance.memory_size() > self._bounds.memory_bytes:
                self.close()
                raise VmFailed(f"the agent used more than {self._bounds.memory_bytes >> 20} MB of memory", "memory")
            if text:
                said += self._parse(text)
        return said

    def image(self) -> Image:
        """The VM's memory now; it goes on as before."""
        self._instance.clear(self._engine.addresses.exchange, self._written)
        self._written = 0
        return take_image(self._instance, self._engine.golden, self._engine.golden_memory)

    def fork_image(self) -> Image:
        """The VM's memory now, in which nothing will happen of what it is waiting to do: what branches start from."""
        image = self.image()
        exchange = self._engine.addresses.exchange
        promises = self._instance.pending_promises(exchange, EXCHANGE_BYTES)
        self._instance.clear(exchange, EXCHANGE_BYTES)
        return image.patched(without_reactions(promises))

    def close(self) -> None:
        """Free the VM. May be called more than once."""
        self._instance.close()

    def _parse(self, text: bytes) -> list[Said]:
        # Only a hole in the prelude would let an agent write such lines itself.
        try:
            return [_parse(line) for line in text.split(b"\n")]
        except (ValueError, TypeError, KeyError) as fault:
            self.close()
            raise VmFailed("the agent's VM was tampered with: it said what no agent can say") from fault

    def _exchange(self, data: bytes) -> bytes:
        instance = self._instance
        size = len(data)
        if size <= EXCHANGE_BYTES:
            at = self._engine.addresses.exchange
            self._written = max(self._written, size)
        else:
            at = instance.call("qjs_alloc", size)
            if not at:
                self.close()
                raise VmFailed(f"a value of {size >> 20} MB does not fit the agent's memory", "memory")
        instance.write(at, data)
        said = instance.step(at, at + size)
        if said < 0:
            self.close()
            raise VmFailed(f"the engine failed with status {-said}; most likely its memory is exhausted", "memory")
        text = instance.read(said >> 32, said & 0xFFFFFFFF) if said & 0xFFFFFFFF else b""
        if size > EXCHANGE_BYTES:
            instance.call("qjs_free", at, size)
        return text


def _portions(messages: Sequence[tuple[int, bytes]]) -> Iterator[bytes]:
    """The messages as the VM reads them, as many at once as fit the exchange buffer.

    Large ones go one by one: together they would need memory that they do not need in a replay.
    """
    parts: list[bytes] = []
    size = 0
    for now_ms, text in messages:
        length = _MESSAGE.size + len(text)
        if parts and size + length > EXCHANGE_BYTES:
            yield b"".join(parts)
            parts, size = [], 0
        parts += (_MESSAGE.pack(len(text), now_ms * 1_000_000), text)
        size += length
    yield b"".join(parts)


def _explain(stop: Exception) -> Exception:
    code = stop.trap_code if isinstance(stop, wasmtime.Trap) else None
    if code == wasmtime.TrapCode.INTERRUPT:
        return StepOverran()
    if code == wasmtime.TrapCode.STACK_OVERFLOW:
        # The engine's build for WASI does not look at its stack itself, so there is no RangeError to catch.
        return VmFailed(f"the agent's calls are nested too deep: more than {STACK_BYTES >> 20} MB of stack", "stack")
    return VmFailed(f"the JavaScript engine stopped: {str(stop).strip().splitlines()[-1].strip()}")


def _parse(line: bytes) -> Said:
    kind, _, rest = line.partition(b"\t")
    if kind == b"call":
        ordinal, after, function, args, site = rest.split(b"\t", 4)
        return Call(int(ordinal), int(after), function.decode(), site.decode().strip(), args)
    if kind == b"abort":
        return Aborted(int(rest))
    if kind == b"log":
        level, _, text = rest.partition(b"\t")
        return Printed(level.decode(), orjson.loads(text))
    if kind == b"done":
        return Returned(rest)
    if kind != b"fail":
        raise ValueError("no such kind of line")
    return _threw(exact_json.loads(rest))


def _threw(failure: Any) -> Threw:
    if not isinstance(failure, dict):
        raise TypeError("no object")
    for field, kind in _THREW.items():
        if not isinstance(failure.get(field), kind):
            raise TypeError(field)
    return Threw(**failure)
