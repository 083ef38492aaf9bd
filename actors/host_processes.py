"""Hosts as processes of the cluster: how one is started, found, and noticed to be dead."""

import asyncio
import pkgutil
import secrets
from collections.abc import Callable
from typing import Any

import ray
from ray.exceptions import ActorUnavailableError, RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from .config import ClusterConfig
from .growth import ANY, Start
from .status import HostLoad

HOST = "actors.host:Host"
"""Where the class of hosts is; it is made with its name, the cluster's config, and the need that it serves."""

_PREFIX = "host-"
_CALLS_AT_ONCE = 10_000
_CONTROL_CALLS = 10_000
"""Every other host and the supervisor have one under way that never ends (`watch`): pings must not wait behind them."""
_START_S = 120.0
"""On a loaded machine a process takes long to start."""
_PING_EVERY_S = 5.0
_PINGS_BEFORE_LOST = 3
_PAUSE_S = 0.2


def new_name() -> str:
    """A name that no host has had: it stands for one life of one process."""
    return _PREFIX + secrets.token_hex(4)


def is_host(name: str) -> bool:
    """Whether that is the name of a host, not of a front."""
    return name.startswith(_PREFIX)


def start_host(name: str, start: Start, config: ClusterConfig, host_class: str) -> Any:
    """The actor's handle; it comes up by itself from here on."""
    options: dict[str, Any] = {
        "name": name,
        "namespace": config.namespace,
        "lifetime": "detached",
        "num_cpus": start.need.cpus,
        "max_restarts": 0,
        "max_concurrency": _CALLS_AT_ONCE,
        "concurrency_groups": {"control": _CONTROL_CALLS},
        "scheduling_strategy": NodeAffinitySchedulingStrategy(start.node, soft=False),
    }
    if start.need != ANY:
        options |= {"num_gpus": start.need.gpus, "resources": dict(start.need.custom)}
    return ray.remote(**options)(pkgutil.resolve_name(host_class)).remote(name, config, start.need)


def find_hosts(config: ClusterConfig) -> dict[str, Any]:
    """The hosts that were started and have not died, by name. Waits for the cluster's head."""
    found = {}
    for actor in ray.util.list_named_actors(all_namespaces=True):
        if actor["namespace"] == config.namespace and is_host(actor["name"]):
            try:
                found[actor["name"]] = ray.get_actor(actor["name"], namespace=config.namespace)
            except ValueError:
                continue  # it died in between
    return found


async def death(host: Any, config: ClusterConfig, heard: Callable[[HostLoad], None]) -> str:
    """Returns why the host is lost, once it died or answers nothing. ``heard`` is told what it says until then."""
    watching = asyncio.create_task(_watch(host))
    pinging = asyncio.create_task(_ping(host, config.lost_after_s, heard))
    try:
        done, _ = await asyncio.wait((watching, pinging), return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()
    finally:
        watching.cancel()
        pinging.cancel()
        await asyncio.wait((watching, pinging))


async def _watch(host: Any) -> str:
    while True:
        try:
            await host.watch.remote()
            return "it ended"
        except ActorUnavailableError:
            await asyncio.sleep(_PAUSE_S)  # Ray does not know; the pings will
        except RayActorError as died:
            return str(died)


async def _ping(host: Any, lost_after_s: float, heard: Callable[[HostLoad], None]) -> str:
    patience = max(_START_S, lost_after_s)
    while True:
        try:
            load: HostLoad = await asyncio.wait_for(host.ping.remote(), patience)
        except TimeoutError:
            return f"it answered nothing for {patience:g} s"
        except ActorUnavailableError:
            await asyncio.sleep(_PAUSE_S)
            continue
        except RayActorError as died:
            return str(died)
        heard(load)
        patience = lost_after_s
        await asyncio.sleep(min(_PING_EVERY_S, lost_after_s / _PINGS_BEFORE_LOST))
