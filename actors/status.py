"""What a host says of itself."""

from dataclasses import dataclass

from .config import Need


@dataclass(frozen=True, slots=True)
class HostLoad:
    """A host's answer to a ping, from which a supervisor that was started again learns all it must know of it.

    ``actors`` live in it, of which it drives ``runs`` itself (their roots are among the actors). ``memory_bytes`` is
    the process's resident set, ``cpu`` the share of one core that it took since the last ping (None: not known yet).
    ``journal_reachable`` is False while what it writes is not acknowledged.
    """

    node_id: str
    need: Need
    pid: int
    actors: int
    runs: int
    memory_bytes: int
    cpu: float | None = None
    journal_reachable: bool = True
