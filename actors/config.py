"""What a cluster is told at its start."""

from dataclasses import dataclass
from pathlib import Path

from chidori_actors.placement.need import Need
from chidori_actors.settings import Durability

__all__ = ["ClusterConfig", "Need"]


@dataclass(frozen=True, slots=True)
class ClusterConfig:
    """How a cluster is laid out.

    ``store`` is a directory on the journal's nodes. ``hosts`` are started ahead, spread over all nodes (None: one per
    core of each node); more come up to ``max_hosts`` when all are full (None: twice the hosts that are started ahead).
    A host that answers no ping, or cannot reach the journal, for ``lost_after_s`` seconds is lost: its runs go on
    elsewhere.
    """

    store: Path
    namespace: str = "chidori"
    durability: Durability = "strict"
    shards: int = 1
    hosts: int | None = None
    max_hosts: int | None = None
    actors_per_host: int = 256
    lost_after_s: float = 30.0
