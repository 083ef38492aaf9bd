"""Where the engine's heap keeps its objects, which a fork has to know.

A branch is restored from its parent's memory and must not run what the parent was waiting to do. Everything that waits
hangs on a promise as a reaction, so taking the reactions off every pending promise stops it all and leaves the promises
themselves usable. QuickJS chains every object into one list (``JSRuntime.gc_obj_list``); glue.wat walks it. The layouts
are those of ``JSGCObjectHeader``, ``JSObject`` and ``JSPromiseData`` in QuickJS-NG for a 32-bit machine; a golden image
is used only after a fork of it was seen to work (golden.py).
"""

import struct
from collections.abc import Iterable, Iterator

PROMISE_CLASS = 52
"""``JS_CLASS_PROMISE``."""

_Words = tuple[int, ...]


def without_reactions(promises: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Addresses and the words to be written there to take the reactions off the promises with these states.

    Behind its own state a promise has two lists, for fulfilment and for rejection; an empty one points to itself.
    """
    for promise in promises:
        for head in (promise + 4, promise + 12):
            yield head, head
            yield head + 4, head


def find_object_list(before: bytes, after: bytes, lowest: int) -> int:
    """The address of the head of the object list, given the memory before and after objects were made.

    New objects are chained in before the head: it is the node whose predecessor changed in the longest list there is.
    Nothing below the address ``lowest`` is looked at.

    Raises:
        RuntimeError: there is no such node.
    """
    old, new = (struct.unpack(f"<{len(memory) // 4}I", memory) for memory in (before, after))
    moved = (word * 4 for word in range(lowest // 4, len(old) - 1) if old[word] != new[word])
    heads = [node for node in moved if _is_node(old, node, lowest) and _is_node(new, node, lowest)]
    if not heads:
        raise RuntimeError("the engine's object list was not found")
    return max(heads, key=lambda node: _length(new, node, lowest))


def _is_node(words: _Words, node: int, lowest: int) -> bool:
    """Whether predecessor and successor of ``node`` point back to it (``struct list_head``: prev, next)."""
    previous, following = words[node // 4], words[node // 4 + 1]
    highest = (len(words) - 2) * 4
    inside = lowest <= previous <= highest and lowest <= following <= highest and not (previous | following) % 4
    return inside and words[previous // 4 + 1] == node and words[following // 4] == node


def _length(words: _Words, first: int, lowest: int) -> int:
    """How many nodes the ring of ``first`` has; 0 when it is none."""
    node, length = words[first // 4 + 1], 1
    while node != first and length < len(words):
        if not _is_node(words, node, lowest):
            return 0
        node, length = words[node // 4 + 1], length + 1
    return length
