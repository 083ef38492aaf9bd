"""What an actor asks of the host that holds it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Need:
    """What an actor needs of its host beyond room: CPUs and GPUs to itself, and a cluster's own resources by name."""

    cpus: float = 0.0
    gpus: float = 0.0
    custom: tuple[tuple[str, float], ...] = ()


ANYWHERE = Need()
