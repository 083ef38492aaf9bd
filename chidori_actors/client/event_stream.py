"""The events of a session, one after another, whatever happens to the connection."""

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ..journal.json_text import parse_json
from . import answers, routes
from .errors import ClientError, ConnectionFailed
from .exchange import Flow, Open, Pause, Read, Request, Response, TransportFailure, streams
from .retries import Retries, connection_failed, unavailable_for
from .sse import Frame, FrameParser

Event = dict[str, Any]


@dataclass(slots=True)
class EventStream:
    """Where a reader of a session's events is.

    ``start``, if there is one, opens the stream by starting the session; ``after`` is the id of the last event
    that was seen. Nothing is missing or comes twice: the server goes on after ``Last-Event-ID``, and what it
    sends again is dropped.
    """

    session_id: str
    retries: Retries
    start: Request | None = None
    after: int | None = None
    _parser: FrameParser | None = None
    _ready: deque[Event] = field(default_factory=deque)
    _finished: bool = False
    _reached: bool = False
    _fruitless: int = 0

    def next(self) -> Flow[Event | None]:
        """The next event; None after ``done``.

        Raises:
            ClientError: the server refuses, or (``ConnectionFailed``) it stayed away.
        """
        while not self._ready:
            if self._finished:
                return None
            if self._parser is None:
                yield from self._open()
            else:
                yield from self._read(self._parser)
        return self._ready.popleft()

    def _request(self) -> Request:
        # Until it was answered the start is repeated, with its key: the session may not exist yet.
        if self.start is not None:
            return self.start
        request = routes.get(routes.session_path(self.session_id, "stream"))
        headers = () if self.after is None else (("Last-Event-ID", str(self.after)),)
        return Request(request.method, request.path, headers=headers, repeatable=True)

    def _open(self) -> Flow[None]:
        request = self._request()
        try:
            response: Response = yield Open(request)
        except TransportFailure as failure:
            yield from self._lost(request, failure)
            return
        self._reached = True
        if not 200 <= response.status < 300:
            wait = unavailable_for(response, self.retries.delay(self._fruitless, reached=True))
            if wait is None:
                raise answers.error(request, response)
            self._fruitless += 1
            yield Pause(wait)
        elif not streams(response.status, response.headers.get("content-type")):
            raise answers.unexpected(request, response)
        else:
            self.start = None
            self._parser = FrameParser()

    def _read(self, parser: FrameParser) -> Flow[None]:
        try:
            chunk: bytes = yield Read()
        except TransportFailure as failure:
            yield from self._lost(self._request(), failure)
            return
        if not chunk:
            ended = TransportFailure("the stream ended before the run was done", sent=True)
            yield from self._lost(self._request(), ended)
            return
        for frame in parser.feed(chunk):
            self._take(frame)
        # The first comment may come with the answer; a second one says that the connection held for a while.
        if self._ready or parser.comments > 1:
            self._fruitless = 0

    def _lost(self, request: Request, failure: TransportFailure) -> Flow[None]:
        self._parser = None
        self._reached = self._reached or failure.sent
        wait = self.retries.delay(self._fruitless, reached=self._reached)
        if wait is None:
            raise self._given_up(request, failure) from failure
        self._fruitless += 1
        yield Pause(wait)

    def _given_up(self, request: Request, failure: TransportFailure) -> ConnectionFailed:
        error = connection_failed(request, failure)
        if self.start is None and self._reached:
            place = "" if self.after is None else f", after={self.after}"
            error.hint = f"the run does not depend on the connection: attach({self.session_id!r}{place}) goes on"
        return error

    def _take(self, frame: Frame) -> None:
        if self._finished:
            return
        try:
            # `done` is made for each stream: its id is not of the session's events.
            number = None if frame.id is None or frame.event == "done" else _event_id(frame.id)
            event = {**parse_json(frame.data.encode()), "type": frame.event}
        except (ValueError, TypeError) as fault:
            raise ClientError(
                f"session {self.session_id}: the event {frame.event!r} cannot be read: {fault}",
                body=frame.data,
                hint="does the server have the same version as this client?",
            ) from fault
        if number is not None:
            if self.after is not None and number <= self.after:
                return
            self.after = number
            event["event_id"] = number
        self._ready.append(event)
        self._finished = frame.event == "done"


def _event_id(text: str) -> int:
    """Only what the server takes back: Python also reads -1, 1_0 and digits of other scripts as numbers."""
    if not text.isascii() or not text.isdigit():
        raise ValueError(f"{text!r} is not the id of an event")
    return int(text)
