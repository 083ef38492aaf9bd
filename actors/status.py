"""What a host says of itself."""

from collections.abc import Mapping
from dataclasses import dataclass

from .config import Need


@dataclass(frozen=True, slots=True)
class HostLoad:
    """A host's answer to a ping, from which a supervisor that was started again learns all it must know of it.

    ``memory_bytes`` is the process's resident set, ``placed`` how many actors the runs that it drives have on each host
    (their roots not among them), ``cpu`` the share of one core that it took since the last ping (None: not known yet).
    ``journal_reachable`` is False while what it writes is not acknowledged.
    """

    node_id: str
    need: Need
    pid: int
    memory_bytes: int
    placed: Mapping[str, int]
    cpu: float | None = None
    journal_reachable: bool = True
