"""Ray's own handlers of fatal signals end the process: a trap of WebAssembly comes as such a signal, and SIGTERM is one
of them."""

import ctypes
import signal
import threading
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


@contextmanager
def termination_kept() -> Iterator[None]:
    """SIGTERM does after it what it did before; one that comes meanwhile does so then. Ray would print a stack of its
    own and end the process on the spot.
    """
    if threading.current_thread() is not threading.main_thread():  # which alone may say what a signal does
        yield
        return
    kept = signal.getsignal(signal.SIGTERM)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, kept)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
