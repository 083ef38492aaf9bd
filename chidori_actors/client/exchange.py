"""The steps that an operation asks of a driver, and the answers it gets: the seam between protocol and I/O.

An operation is a generator. It yields steps and is sent what came of them; a driver, blocking or asynchronous,
does nothing else.
"""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request. ``path`` is quoted, with its query, and follows the base URL.

    ``repeatable``: twice is the same as once. ``patient``: the answer comes when a run comes to rest, so
    silence means nothing.
    """

    method: str
    path: str
    body: bytes | None = None
    headers: tuple[tuple[str, str], ...] = ()
    repeatable: bool = False
    patient: bool = False


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP response; header names are in lower case. ``body`` is empty when it is still to be read."""

    status: int
    headers: Mapping[str, str]
    body: bytes = b""


def streams(status: int, content_type: str | None) -> bool:
    """Whether a response that was opened is a stream of events; anything else is read whole."""
    return status == 200 and (content_type or "").lower().startswith("text/event-stream")


class TransportFailure(Exception):
    """No complete response came. ``sent``: the server may have seen the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


@dataclass(frozen=True, slots=True)
class Send:
    """Send ``request``; the answer is its ``Response``."""

    request: Request


@dataclass(frozen=True, slots=True)
class Open:
    """Send ``request``; the answer is a ``Response`` whose body, if ``streams`` says so, is read with ``Read``.

    It takes the place of a response that was open before.
    """

    request: Request


@dataclass(frozen=True, slots=True)
class Read:
    """The answer is the next bytes of the open response as soon as there are any; none at its end."""


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for ``seconds``."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Emit(Generic[T]):
    """Hand ``item`` to the caller."""

    item: T


Step: TypeAlias = Send | Open | Read | Pause
Answer: TypeAlias = Response | bytes | TransportFailure | None
# What a step is answered with depends on the step, which the type of a generator cannot say.
Flow: TypeAlias = Generator[Step, Any, T]
Items: TypeAlias = Generator[Step | Emit[T], Any, None]


def result(flow: Flow[T]) -> Items[T]:
    """``flow`` with its result as its only item."""
    item = yield from flow
    yield Emit(item)


def advance(items: Items[T], answer: Answer) -> Step | Emit[T] | None:
    """The step after ``answer``; None at the end. The first answer is None."""
    try:
        return items.throw(answer) if isinstance(answer, TransportFailure) else items.send(answer)
    except StopIteration:
        return None
