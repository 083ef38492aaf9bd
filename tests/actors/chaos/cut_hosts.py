"""Hosts that can be cut off from the journal alone: all others, the supervisor among them, they reach as ever."""

import asyncio
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from actors.config import ClusterConfig, Need
from actors.host import Host
from actors.shards import ShardAddress, find_shards

CUT_HOST = f"{__name__}:CutHost"


class CutHost(Host):
    """A host that reaches the journal unless ``cut`` has been called with its name."""

    def __init__(self, name: str, config: ClusterConfig, need: Need) -> None:
        super().__init__(name, config, need, partial(_find_breakable, name))


def cut(config: ClusterConfig, host: str) -> Path:
    """From now on the host's words do not reach the journal, nor the journal's the host, until the file is removed."""
    file = _file(config, host)
    file.touch()
    return file


def _file(config: ClusterConfig, host: str) -> Path:
    return config.store.with_name(f"cut-off-{host}")


async def _find_breakable(host: str, config: ClusterConfig) -> list[ShardAddress]:
    file = _file(config, host)
    return [replace(shard, actor=_Breakable(shard.actor, file)) for shard in await find_shards(config)]


class _Breakable:
    """A shard's actor as this host reaches it. Whether it can is looked up for each call: a test's file is cheap."""

    def __init__(self, actor: Any, cut: Path) -> None:
        self._actor = actor
        self._cut = cut

    def __getattr__(self, method: str) -> "_Method":
        return _Method(getattr(self._actor, method), self._cut)


class _Method:
    def __init__(self, method: Any, cut: Path) -> None:
        self._method = method
        self._cut = cut

    def remote(self, *args: object) -> Any:
        """A call: what it gives is waited for as Ray's references are."""
        return _Never() if self._cut.exists() else _Reference(self._method.remote(*args), self._cut)


class _Never:
    """A call of which nothing is heard any more."""

    def __await__(self) -> Generator[Any, None, Any]:
        return asyncio.get_running_loop().create_future().__await__()

    def future(self) -> "Future[Any]":
        return Future()


class _Reference:
    """A call that came through; its answer does not while the host is cut off."""

    def __init__(self, reference: Any, cut: Path) -> None:
        self._reference = reference
        self._cut = cut

    def __await__(self) -> Generator[Any, None, Any]:
        answer = yield from self._reference.__await__()
        if self._cut.exists():
            yield from _Never().__await__()
        return answer

    def future(self) -> "Future[Any]":
        future: Future[Any] = self._reference.future()
        return future
