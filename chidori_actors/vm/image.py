"""A VM's memory at a safepoint, as its difference from the golden image."""

import struct
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Protocol

from .golden import PAGE, STACK_TOP

_HEAD = struct.Struct("<II")
_WORD = struct.Struct("<I")
_EMPTY = bytes(PAGE)


class ImageRejected(Exception):
    """The bytes are not an image, or one of another golden image; the run is replayed instead."""


class MemoryOf(Protocol):
    def read(self, at: int, size: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None: ...

    def grow(self, size: int) -> None: ...

    def memory_size(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Image:
    """The pages of 4 KB that differ: ``numbers`` are their page numbers, ``pages`` their contents in that order.

    ``golden`` names the golden image that the rest comes from. One image can be restored any number of times.
    """

    golden: str
    memory_bytes: int
    numbers: tuple[int, ...]
    pages: bytes

    def patched(self, words: Iterable[tuple[int, int]]) -> "Image":
        """The image with other 32-bit words at some addresses; those on pages that are not in it stay."""
        places = {number: place for place, number in enumerate(self.numbers)}
        pages = bytearray(self.pages)
        for address, word in words:
            place = places.get(address // PAGE)
            if place is not None:
                _WORD.pack_into(pages, place * PAGE + address % PAGE, word)
        return replace(self, pages=bytes(pages))

    def encode(self, golden_memory: bytes) -> bytes:
        """The image without ``golden``: u32 memory in 64 KB, u32 count, u32 page numbers, pages. Little-endian.

        Of the pages only the bits that differ from the golden image's are set, which compresses to a fifth.
        """
        head = _HEAD.pack(self.memory_bytes >> 16, len(self.numbers))
        numbers = struct.pack(f"<{len(self.numbers)}I", *self.numbers)
        return b"".join((head, numbers, _difference(self.numbers, self.pages, golden_memory)))

    @classmethod
    def decode(cls, golden: str, data: bytes, golden_memory: bytes) -> "Image":
        """The reverse of ``encode``.

        Raises:
            ImageRejected: the bytes are mangled.
        """
        if len(data) < _HEAD.size:
            raise ImageRejected("the image is cut off")
        units, count = _HEAD.unpack_from(data)
        body = _HEAD.size + 4 * count
        if len(data) != body + PAGE * count:
            raise ImageRejected("the image has the wrong length")
        numbers = struct.unpack_from(f"<{count}I", data, _HEAD.size)
        ordered = all(a < b for a, b in pairwise(numbers))
        if not ordered or (numbers and not STACK_TOP // PAGE <= numbers[0] <= numbers[-1] < units * 16):
            raise ImageRejected("the image has pages where none can be")
        return cls(golden, units << 16, numbers, _difference(numbers, data[body:], golden_memory))


def _difference(numbers: Sequence[int], pages: bytes, golden_memory: bytes) -> bytes:
    """``pages`` XOR those of the golden image; what lies beyond that stays as it is."""
    shared = bisect_left(numbers, len(golden_memory) // PAGE)
    base = b"".join(golden_memory[number * PAGE : (number + 1) * PAGE] for number in numbers[:shared])
    mixed = int.from_bytes(pages[: len(base)], "little") ^ int.from_bytes(base, "little")
    return mixed.to_bytes(len(base), "little") + pages[len(base) :]


def take_image(memory: MemoryOf, golden: str, golden_memory: bytes) -> Image:
    """The image of a VM that is at a safepoint; nothing below ``STACK_TOP`` is alive then."""
    size = memory.memory_size()
    current = memory.read(STACK_TOP, size - STACK_TOP)
    base = golden_memory[STACK_TOP:]
    numbers: list[int] = []
    pages: list[bytes] = []
    first = STACK_TOP // PAGE
    # Slices of bytes compare with memcmp: 0.1 ms for a small VM, without numpy's import.
    for at in range(0, len(current), PAGE):
        page = current[at : at + PAGE]
        if page != (base[at : at + PAGE] or _EMPTY):
            numbers.append(first + at // PAGE)
            pages.append(page)
    return Image(golden, size, tuple(numbers), b"".join(pages))


def restore_image(memory: MemoryOf, image: Image) -> None:
    """Write the image into a new VM of its golden image; runs of neighbouring pages are written at once."""
    memory.grow(image.memory_bytes)
    numbers = image.numbers
    start = 0
    for index in range(1, len(numbers) + 1):
        if index == len(numbers) or numbers[index] != numbers[index - 1] + 1:
            memory.write(numbers[start] * PAGE, image.pages[start * PAGE : index * PAGE])
            start = index
