"""Checkpoint files that a command is given."""

import os
import sys
from pathlib import Path

from ..errors import UsageError


def names_file(name: str) -> bool:
    """Whether a name that may be a run's is that of a file, which need not be there."""
    return os.path.isfile(name) or name.endswith(".json")


def read_checkpoint(name: str) -> bytes:
    """What is in the file, ``-`` being the standard input.

    Raises:
        UsageError: it cannot be read.
    """
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UsageError(f"{name} cannot be read: {reason}") from None
