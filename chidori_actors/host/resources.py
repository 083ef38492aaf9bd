"""Things with a life of their own (an HTTP session, a loaded provider library), shared by a process's runs."""

from collections.abc import Callable
from typing import Any, Protocol, TypeVar


class Closeable(Protocol):
    """A resource: ``aclose`` is called once, when the runtime that holds it closes."""

    async def aclose(self) -> None: ...


T = TypeVar("T", bound=Closeable)


class Resources:
    """Makes each resource at its first use and closes all of them, the newest first."""

    def __init__(self) -> None:
        self._made: dict[type[Any], Closeable] = {}

    def get(self, kind: type[T], make: Callable[[], T]) -> T:
        """The one resource of class ``kind``, made by ``make()`` when there is none yet."""
        made = self._made.get(kind)
        if made is None:
            made = self._made[kind] = make()
        assert isinstance(made, kind)
        return made

    async def aclose(self) -> None:
        """Close everything that was made; the object may be used again afterwards."""
        while self._made:
            _, resource = self._made.popitem()
            await resource.aclose()
