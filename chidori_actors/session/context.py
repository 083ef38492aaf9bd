"""What the actors of one run share."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from ..host.function import HostFunction, HostServices
from ..journal.store import Fence, Store
from ..policy import Policy
from .observer import Observer


@dataclass(slots=True)
class RunContext:
    """The run's counters and seams. ``seq`` and ``index`` are the last ones given out."""

    run_id: str
    store: Store
    fence: Fence | None
    policy: Policy
    functions: Mapping[str, HostFunction]
    services: HostServices
    observer: Observer
    seq: int = 0
    index: int = 0
    last_ms: int = 0

    def next_seq(self) -> int:
        self.seq += 1
        return self.seq

    def next_index(self) -> int:
        self.index += 1
        return self.index

    def now_ms(self) -> int:
        """Milliseconds since 1970, never less than before: agents see it as their clock."""
        self.last_ms = max(self.last_ms, int(time.time() * 1000))
        return self.last_ms
