"""When a request is sent again."""

import itertools
import random
from dataclasses import dataclass

from .errors import ConnectionFailed
from .exchange import Flow, Pause, Request, Response, Send, TransportFailure

_UNAVAILABLE = (502, 503, 504)
_LONGEST_WAIT = 30.0
_UNKNOWN = "whether the server did it is not known: look at the session before you ask again"
_UNREACHED = "is `chidori serve` running there? give another address as base_url or in CHIDORI_URL"


@dataclass(frozen=True, slots=True)
class Retries:
    """The seconds to wait before each further attempt; after the last the error is raised.

    ``connect`` is for a server that could not be reached at all, ``reattach`` for one that went away in the
    middle: it may be starting again. Waits are shortened at random, so that many clients do not come at once.
    """

    connect: tuple[float, ...] = (0.2, 0.5, 1.0)
    reattach: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0)

    def delay(self, attempt: int, *, reached: bool) -> float | None:
        """How long to wait after the attempt of that number, from 0; None when there is to be no other."""
        delays = self.reattach if reached else self.connect
        return delays[attempt] * random.uniform(0.5, 1) if attempt < len(delays) else None


def retry_after(response: Response) -> float | None:
    """The header of that name in seconds; None when it is missing or a date."""
    text = response.headers.get("retry-after", "")
    return float(text) if text.isascii() and text.isdigit() else None


def unavailable_for(response: Response, delay: float | None) -> float | None:
    """How long to wait before asking again a server that may be there later; None: take its answer as it is."""
    if response.status not in _UNAVAILABLE or delay is None:
        return None
    wait = max(delay, retry_after(response) or 0)
    return wait if wait <= _LONGEST_WAIT else None


def connection_failed(request: Request, failure: TransportFailure) -> ConnectionFailed:
    """The error for a request that is given up."""
    hint = _UNREACHED if not failure.sent else None if request.repeatable else _UNKNOWN
    return ConnectionFailed(f"{request.method} {request.path}: {failure}", hint=hint)


def send(request: Request, retries: Retries) -> Flow[Response]:
    """Send ``request``, again after a failure when that is safe; any status is an answer.

    What never reached the server can always be sent again.

    Raises:
        ConnectionFailed: no complete answer came.
    """
    reached = False
    for attempt in itertools.count():
        try:
            response: Response = yield Send(request)
        except TransportFailure as failure:
            reached = reached or failure.sent
            wait = retries.delay(attempt, reached=reached)
            if wait is None or (failure.sent and not request.repeatable):
                raise connection_failed(request, failure) from failure
        else:
            wait = unavailable_for(response, retries.delay(attempt, reached=True)) if request.repeatable else None
            if wait is None:
                return response
        yield Pause(wait)
    raise AssertionError("the attempts are counted without end")
