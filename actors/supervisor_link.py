"""The supervisor as hosts and fronts call it; Ray starts it again when it dies, and they wait for that."""

import asyncio
from typing import Any

import ray
from ray.exceptions import RayActorError

from chidori_actors.errors import ChidoriError

from .calls import answer
from .config import ClusterConfig

SUPERVISOR_NAME = "supervisor"
_PAUSE_S = 0.2


class SupervisorLink:
    """Of the cluster with that configuration."""

    def __init__(self, config: ClusterConfig) -> None:
        self._config = config
        self._actor: Any = None

    async def ask(self, method: str, *args: Any) -> Any:
        """What its method answers. It may be asked twice when it dies meanwhile.

        Raises:
            ChidoriError: what the method says, or it cannot be reached for long.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + self._config.lost_after_s
        while True:
            try:
                if self._actor is None:
                    self._actor = ray.get_actor(SUPERVISOR_NAME, namespace=self._config.namespace)
                return await answer(getattr(self._actor, method).remote(*args))
            except (RayActorError, ValueError) as error:
                self._actor = None
                if loop.time() > until:
                    raise ChidoriError(
                        "the supervisor of the cluster cannot be reached: perhaps the cluster was stopped",
                        hint="`chidori cluster status` shows the cluster, `chidori cluster start` starts it; nothing "
                        "that was recorded is lost, and its runs can be resumed (`chidori runs` lists them)",
                    ) from error
            await asyncio.sleep(_PAUSE_S)
