"""The hosts that were lost lately, and why."""

import re
import sys
import time
from collections import deque

from chidori_actors.placement.clusters import LossStatus

_SHOWN = 10
_LONGEST = 300
_CAUSE = re.compile(r"The actor is dead because.*")


class Losses:
    """Those of this supervisor's life; each is also a line in its log."""

    def __init__(self) -> None:
        self._latest: deque[LossStatus] = deque(maxlen=_SHOWN)

    @property
    def latest(self) -> list[LossStatus]:
        """The last few, the oldest first."""
        return list(self._latest)

    def note(self, host: str, node: str, runs: int, reason: str) -> None:
        """The host was lost just now, and so many runs go on elsewhere. ``reason`` may be an error of Ray's."""
        cause = _one_line(reason)
        self._latest.append(LossStatus(int(time.time() * 1000), host, node, runs, cause))
        print(f"lost {host} on node {node[:8]} with {runs} runs: {cause}", file=sys.stderr, flush=True)


def _one_line(reason: str) -> str:
    """Ray tells of a death in many lines, one of which has the cause."""
    cause = _CAUSE.search(reason)
    text = cause[0] if cause else reason.partition("\n")[0]
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
