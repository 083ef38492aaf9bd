"""What a front has a host do: drive a run, and tell whoever attends it."""

import hashlib
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from chidori_actors.journal.store import Store
from chidori_actors.policy import Policy
from chidori_actors.settings import Settings

from .config import Need

Kind = Literal["run", "resume", "branch", "replay_as"]
Wants = Literal["everything", "ends", "nothing"]
"""What a front is told of calls: all that an observer is, of ended calls what is counted, or nothing."""


@dataclass(frozen=True, slots=True)
class Source:
    """The text of a source bundle, which its front has put into the cluster's object store."""

    digest: str
    text: Awaitable[bytes] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Listening:
    """How a front attends a run.

    ``publish``: it is told what prompts stream, which is kept for later; ``questions``: its questions may be asked
    there; ``board``: they stand open there.
    """

    front: str
    wants: Wants
    publish: bool
    questions: bool
    board: bool


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a run is held to, from its front's environment: provider keys and secrets are among it, and nobody is shown
    any of it."""

    settings: Settings = field(repr=False)
    policy: Policy = field(repr=False)
    image_every: int


@dataclass(frozen=True, slots=True)
class Work:
    """A run to be driven: ``arguments`` are those of the runtime's method ``kind``, but for the source.

    ``number`` is the front's own: the same work may be sent twice. ``recorded`` is what the store had of the run when
    the front sent it (``recorded_version``); ``begun``: a host that is gone may have done a part of it.
    """

    run_id: str
    kind: Kind
    number: int
    conditions: Conditions
    listening: Listening
    arguments: Mapping[str, Any] = field(default_factory=dict, repr=False)
    source: Source | None = field(default=None, repr=False)
    need: Need = Need()  # noqa: RUF009 - it is frozen
    recorded: str | None = None
    begun: bool = False

    @property
    def key(self) -> tuple[str, int]:
        """Tells it from all other work."""
        return self.listening.front, self.number

    def resumed(self) -> "Work":
        """The work with which another host continues the run when its host is gone."""
        return replace(self, begun=True)


def recorded_version(store: Store, run_id: str) -> str | None:
    """What the store has of the run, in so far as it can be told from what it has later; None: nothing."""
    value = store.get("runs", run_id.encode())
    return None if value is None else hashlib.sha256(value).hexdigest()
