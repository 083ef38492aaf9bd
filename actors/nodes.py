"""The machines of a cluster, and what they have."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from chidori_actors.errors import ChidoriError, UsageError

from .config import Need

_ROUNDING = 1e-6
"""Ray counts resources in ten-thousandths."""


@dataclass(frozen=True, slots=True)
class Node:
    """A live node and all that it has (not what is free of it)."""

    id: str
    address: str
    hostname: str
    resources: Mapping[str, float]
    is_head: bool = False

    @property
    def cpus(self) -> float:
        return self.resources.get("CPU", 0.0)

    @property
    def gpus(self) -> float:
        return self.resources.get("GPU", 0.0)


def amounts(need: Need) -> dict[str, float]:
    """``need`` by the names that nodes use."""
    named = {"CPU": need.cpus, "GPU": need.gpus, **dict(need.custom)}
    return {name: amount for name, amount in named.items() if amount}


def fits(need: Need, free: Mapping[str, float]) -> bool:
    return all(free.get(name, 0.0) + _ROUNDING >= amount for name, amount in amounts(need).items())


def spared(node: Node, taken: Iterable[tuple[str, Need]]) -> dict[str, float]:
    """What ``node`` has left beside the hosts that take so much, each given with its node."""
    free = dict(node.resources)
    for place, need in taken:
        if place == node.id:
            for name, amount in amounts(need).items():
                free[name] = free.get(name, 0.0) - amount
    return free


def need_text(need: Need) -> str:
    """``2 CPU, 1 GPU``; empty for one that needs only room."""
    return ", ".join(f"{amount:g} {name}" for name, amount in amounts(need).items())


def missing(need: Need, nodes: Sequence[Node]) -> ChidoriError:
    """The error that no node has what is needed."""
    names = [*dict.fromkeys(["CPU", "GPU", *amounts(need)])]
    have = "; ".join(
        f"{node.address} has {', '.join(f'{node.resources.get(name, 0.0):g} {name}' for name in names)}"
        for node in nodes
    )
    return ChidoriError(
        f"no node of the cluster has {need_text(need)}" + (f": {have}" if have else ": it has no nodes"),
        hint="ask for less, or add a node that has it",
    )


def named_node(nodes: Iterable[Node], name: str) -> Node:
    """The node whose id begins with ``name``, or whose address or host name it is.

    Raises:
        UsageError: there is none, or more than one.
    """
    known = list(nodes)
    found = [node for node in known if name and (node.id.startswith(name) or name in (node.address, node.hostname))]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(f"{node.id[:8]} ({node.address})" for node in found or known)
    if found:
        raise UsageError(f"{name!r} names {len(found)} nodes: {listed}", hint="give the beginning of an id")
    raise UsageError(f"no node of the cluster is {name!r}", hint=f"it has {listed}")
