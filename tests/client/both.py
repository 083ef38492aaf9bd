"""Both clients behind one face, so that every test says once what both must do."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from chidori_actors.client import AgentClient, AsyncAgentClient, Retries, Timeouts

# As many attempts as a real client makes, without its waits.
QUICK = Retries(connect=(0.01,) * 3, reattach=(0.01,) * 8)


class Client(Protocol):
    """What tests call. ``call`` takes a method's name, or a session, its method's name, and arguments."""

    async def call(self, name: str, *args: Any, **options: Any) -> Any: ...

    async def of(self, session: Any, name: str, *args: Any, **options: Any) -> Any: ...

    def items(self, name: str, *args: Any, **options: Any) -> AsyncGenerator[Any, None]: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Blocking:
    """The blocking client in threads, because the server of a test is on the loop of the test."""

    client: AgentClient

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        return await self.of(self.client, name, *args, **options)

    async def of(self, session: Any, name: str, *args: Any, **options: Any) -> Any:
        return await asyncio.to_thread(getattr(session, name), *args, **options)

    async def items(self, name: str, *args: Any, **options: Any) -> AsyncGenerator[Any, None]:
        items: Generator[Any, None, None] = getattr(self.client, name)(*args, **options)
        end = object()
        try:
            while (item := await asyncio.to_thread(next, items, end)) is not end:
                yield item
        finally:
            items.close()

    async def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Asynchronous:
    """The asynchronous client."""

    client: AsyncAgentClient

    async def call(self, name: str, *args: Any, **options: Any) -> Any:
        return await self.of(self.client, name, *args, **options)

    async def of(self, session: Any, name: str, *args: Any, **options: Any) -> Any:
        return await getattr(session, name)(*args, **options)

    async def items(self, name: str, *args: Any, **options: Any) -> AsyncGenerator[Any, None]:
        items = getattr(self.client, name)(*args, **options)
        try:
            async for item in items:
                yield item
        finally:
            await items.aclose()

    async def close(self) -> None:
        await self.client.close()


Connect = Callable[..., Client]


def connect(kind: str, url: str, **options: Any) -> Client:
    """A client of that kind that does not wait long before it tries again."""
    given: dict[str, Any] = {"retries": QUICK, "timeouts": Timeouts(connect=5, idle=20)} | options
    return Blocking(AgentClient(url, **given)) if kind == "blocking" else Asynchronous(AsyncAgentClient(url, **given))
