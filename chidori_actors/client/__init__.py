"""The Python client of `chidori serve`.

    from chidori_actors.client import AgentClient

    session = AgentClient().run({"topic": "snapshots"})
    print(session.status, session.output)

``AgentClient`` blocks, ``AsyncAgentClient`` is for coroutines; both do the same.
"""

from .address import Timeouts
from .asynchronous import AsyncAgentClient, AsyncSession
from .blocking import AgentClient, Session
from .checkpoint import Checkpoint
from .errors import ClientError, Conflict, ConnectionFailed, Invalid, NotFound, ServerBusy, Unauthorized
from .event_stream import Event
from .retries import Retries
from .views import AgentFile, Cancellation, Question, SessionSummary

__all__ = [
    "AgentClient",
    "AgentFile",
    "AsyncAgentClient",
    "AsyncSession",
    "Cancellation",
    "Checkpoint",
    "ClientError",
    "Conflict",
    "ConnectionFailed",
    "Event",
    "Invalid",
    "NotFound",
    "Question",
    "Retries",
    "ServerBusy",
    "Session",
    "SessionSummary",
    "Timeouts",
    "Unauthorized",
]
