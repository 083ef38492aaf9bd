"""Ray's own handlers of fatal signals end the process, and a trap of WebAssembly comes as such a signal."""

import ctypes
import signal
from collections.abc import Iterator
from contextlib import contextmanager

_TRAPS = (signal.SIGILL, signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE)
_LARGEST = 1024
"""Bytes, more than the C type ``struct sigaction`` has anywhere (152 on Linux)."""


@contextmanager
def traps_kept() -> Iterator[None]:
    """What happens meanwhile leaves the process's handlers of fatal signals as they are: Wasmtime's among them, which
    it sets once, when its engine is made. Python knows nothing of handlers that are not its own, so C is asked.
    """
    libc = ctypes.CDLL(None)
    kept = {number: ctypes.create_string_buffer(_LARGEST) for number in _TRAPS}
    for number, action in kept.items():
        libc.sigaction(int(number), None, action)
    try:
        yield
    finally:
        for number, action in kept.items():
            libc.sigaction(int(number), action, None)
