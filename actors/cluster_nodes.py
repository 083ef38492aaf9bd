"""The nodes as Ray knows them."""

from collections.abc import Callable
from typing import Any

import ray

from .nodes import Node

_HEAD = "node:__internal_head__"


def live_nodes() -> list[Node]:
    """The nodes that are there now. Waits for the cluster's head."""
    nodes: Callable[[], list[dict[str, Any]]] = ray.nodes
    return [
        Node(
            id=node["NodeID"],
            address=node["NodeManagerAddress"],
            hostname=node["NodeManagerHostname"],
            resources=node["Resources"],
            is_head=_HEAD in node["Resources"],
        )
        for node in nodes()
        if node["Alive"]
    ]
