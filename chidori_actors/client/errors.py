"""What can go wrong between a client and the server."""

from typing import Any

from ..errors import ChidoriError


class ClientError(ChidoriError):
    """A request did not succeed; ``str()`` is what happened, ``hint`` how to get out.

    ``status`` is the HTTP status, None when no answer came or nothing was sent. ``body`` is the body of the
    answer: JSON as a value, anything else as text.
    """

    def __init__(self, message: str, *, status: int | None = None, body: Any = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.body = body


class NotFound(ClientError):
    """No such session, manifest or agent (404)."""


class Conflict(ClientError):
    """The session is not in a state for it, or was recorded with another source or policy (409)."""


class Invalid(ClientError):
    """The server refuses the request as it is (400, 413, 422), or it could not be sent: ``status`` is None."""


class Unauthorized(ClientError):
    """The API key is missing or wrong (401, 403)."""


class ServerBusy(ClientError):
    """The server takes no more work now (503); ``retry_after`` is in seconds, None when it did not say."""

    def __init__(
        self,
        message: str,
        *,
        retry_after: float | None = None,
        status: int | None = None,
        body: Any = None,
        hint: str | None = None,
    ) -> None:
        super().__init__(message, status=status, body=body, hint=hint)
        self.retry_after = retry_after


class ConnectionFailed(ClientError):
    """The server was not reached, or the connection broke before its answer was complete."""
