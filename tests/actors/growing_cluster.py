"""A cluster of two nodes on this machine, in a process of its own: Ray's tools for that end what else uses Ray here.

Run as ``RAY_AUTH_MODE=disabled python -m tests.actors.growing_cluster STORE``; prints ``done``. Left to itself, Ray
starts the first node without tokens, and the second, after its driver has joined, with them: they refuse each other.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import ray
from ray.cluster_utils import Cluster

from actors.calls import answer, patient_answer
from actors.cluster import ClusterHandles, connect, stop_cluster
from actors.config import ClusterConfig
from chidori_actors.placement.clusters import ClusterStatus, DrainReport

from .stub_hosts import STUB, StubWork

_LIMIT_S = 150.0


async def _until_hosts(handles: ClusterHandles, number: int) -> ClusterStatus:
    while True:
        status: ClusterStatus = await answer(handles.supervisor.status.remote())
        if [host.state for host in status.hosts] == ["up"] * number:
            return status
        await asyncio.sleep(0.1)


async def _grow_and_drain(cluster: Any, store: Path) -> None:
    config = ClusterConfig(store=store, namespace="growing")
    handles = await connect(cluster.address, config, host_class=STUB)
    assert len((await _until_hosts(handles, 1)).nodes) == 1
    added = cluster.add_node(num_cpus=2).node_id
    status = await _until_hosts(handles, 3)
    assert {host.node for host in status.hosts} == {node.id for node in status.nodes}
    names = await handles.supervisor.place.remote("front", 3)
    assert len(set(names)) == 3
    for name in names:
        await ray.get_actor(name, namespace="growing").begin.remote("front", [StubWork(f"run-{name}")])
    report: DrainReport = await answer(handles.supervisor.drain.remote(added[:12]))
    assert (report.node, report.hosts, report.runs, report.actors) == (added, 2, 2, 2)
    status = await _until_hosts(handles, 1)
    for name in names:
        assert await handles.supervisor.locate.remote(f"run-{name}") == status.hosts[0].name
    os.kill(await handles.supervisor.__ray_call__.remote(_process_id), signal.SIGKILL)
    states = {node.id: (node.state, node.hosts) for node in (await _status_again(handles)).nodes}
    assert states[added] == ("draining", 0)
    await stop_cluster(handles)
    handles = await connect(cluster.address, config, host_class=STUB)  # both nodes have the disk with the store
    assert handles.shards[0].node_id != added
    assert {node.state for node in (await _until_hosts(handles, 3)).nodes} == {"up"}
    await stop_cluster(handles)


async def _status_again(handles: ClusterHandles) -> ClusterStatus:
    """As the supervisor knows it that Ray has started again."""
    status: ClusterStatus = await patient_answer(handles.supervisor.status.remote, _LIMIT_S)
    return status


def _process_id(actor: object) -> int:
    return os.getpid()


def main() -> None:
    cluster: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    try:
        asyncio.run(asyncio.wait_for(_grow_and_drain(cluster, Path(sys.argv[1])), _LIMIT_S))
        print("done")
    finally:
        ray.shutdown()
        cluster.shutdown()


if __name__ == "__main__":
    main()
