"""Several nodes of Ray on this machine, each with an address of its own, and how to end parts of them."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

_MEMORY = 100 << 20
_LAST_LINES = 15


class Nodes:
    """A head, and the nodes that are added.

    To be used in a process of its own, with ``RAY_AUTH_MODE=disabled``: left to itself, Ray starts the first node
    without tokens and, once its driver has joined, the others with them.
    """

    def __init__(self, cpus: int = 2) -> None:
        self._cpus = cpus
        self._made: list[Any] = []
        self._cluster: Any = Cluster(
            initialize_head=True, head_node_args={**self._arguments(), "include_dashboard": False}
        )
        self._made.append(self._cluster.head_node)

    @property
    def address(self) -> str:
        """Of the head, as clients name it."""
        return str(self._cluster.address)

    @property
    def ids(self) -> list[str]:
        """In the order in which they were started; the head is the first."""
        return [node.node_id for node in self._made]

    def add(self) -> str:
        """One more; its id. The main thread only, which waits meanwhile."""
        self._made.append(self._cluster.add_node(wait=False, **self._arguments()))
        return str(self._made[-1].node_id)

    def kill(self, node_id: str) -> None:
        """``kill -9`` of the node's raylet, without which nothing of it goes on."""
        raylets = self._made[self.ids.index(node_id)].all_processes["raylet"]
        os.kill(raylets[0].process.pid, signal.SIGKILL)
        raylets[0].process.wait()

    def close(self) -> None:
        ray.shutdown()
        self._cluster.shutdown()

    def last_words(self) -> str:
        """The ends of what the processes of the cluster have printed."""
        folder = Path(self._cluster.head_node.get_logs_dir_path())
        logs = sorted(folder.glob("worker-*.err"), key=lambda path: path.stat().st_mtime)
        texts = ((log.name, log.read_text(errors="replace").splitlines()[-_LAST_LINES:]) for log in logs)
        return "\n".join("\n".join((name, *lines)) for name, lines in texts if lines)

    def _arguments(self) -> dict[str, Any]:
        # The whole of 127.0.0.0/8 is this machine; Ray takes 127.0.0.1 for another name of its outer address.
        address = f"127.0.0.{2 + len(self._made)}"
        return {"num_cpus": self._cpus, "object_store_memory": _MEMORY, "node_ip_address": address}


@contextmanager
def nodes(number: int) -> Iterator[Nodes]:
    """So many nodes, for the length of the block."""
    made = Nodes()
    try:
        for _ in range(number - 1):
            made.add()
        yield made
    finally:
        made.close()
