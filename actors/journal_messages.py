"""What a journal shard and its clients say to each other."""

from typing import NamedTuple

from chidori_actors.journal.writes import Fence, Write


class Submitted(NamedTuple):
    """Writes for one transaction; ``counter`` is a key of ``meta`` whose number goes up, past ``above``.

    ``once``: a key of ``meta`` that stands for these writes, which are made only if it is not there, together with it.
    """

    writes: tuple[Write, ...]
    fence: Fence | None = None
    counter: bytes | None = None
    above: int = 0
    once: bytes | None = None


Result = int | Exception
"""A counter's new number (0 without a counter), or why nothing was written."""


class Committed(NamedTuple):
    """The results of a batch, in its order. ``generation`` names this life of the shard's process."""

    generation: str
    results: list[Result]


class Locked(NamedTuple):
    """Whether the lock is the client's from now on; None: not asked, as the client has to assert its locks first."""

    generation: str
    locked: bool | None
