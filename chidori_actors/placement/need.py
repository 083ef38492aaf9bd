"""What an actor asks of the host that holds it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

_CPUS, _GPUS, _CUSTOM = "cpus", "gpus", "custom"


@dataclass(frozen=True, slots=True)
class Need:
    """What an actor needs of its host beyond room: CPUs and GPUs to itself, and a cluster's own resources by name."""

    cpus: float = 0.0
    gpus: float = 0.0
    custom: tuple[tuple[str, float], ...] = ()


ANYWHERE = Need()


def need_for(amounts: Iterable[tuple[str, float]]) -> Need:
    """The need for amounts by name; what is neither ``cpus`` nor ``gpus`` is one of a cluster's own resources."""
    named = dict(amounts)
    cpus, gpus = named.pop(_CPUS, 0.0), named.pop(_GPUS, 0.0)
    return Need(cpus, gpus, tuple(sorted(named.items())))


def asked_need(asked: Any) -> Need:
    """The need for what a tool's ``resources`` say: ``{cpus?, gpus?, custom?: {name: amount}}``.

    Raises:
        ValueError: it is not that; the message says what is wrong.
    """
    if not isinstance(asked, Mapping):
        raise ValueError("must be an object: { cpus, gpus, custom }")
    for name in asked:
        if name not in (_CPUS, _GPUS, _CUSTOM):
            raise ValueError(f"has {name!r}; known are cpus, gpus and custom (for what a cluster names itself)")
    custom = asked.get(_CUSTOM, {})
    if not isinstance(custom, Mapping):
        raise ValueError("has a `custom` that is no object of names and amounts")
    amounts = [*((name, asked[name]) for name in (_CPUS, _GPUS) if name in asked), *custom.items()]
    for name, amount in amounts:
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < float("inf"):
            raise ValueError(f"has {amount!r} for {name}: it must be a number of at least 0")
    return need_for((name, float(amount)) for name, amount in amounts)
