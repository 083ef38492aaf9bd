"""What an actor is started from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ..journal.actors import ActorMeta
from ..journal.lanes import Started
from ..languages.bundle import Bundle
from ..placement.need import ANYWHERE, Need
from .origins import Origin
from .past import Past


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a replay stops: as soon as the actor's call ``ordinal`` was given its outcome or, when it is ``inside``,
    was made."""

    ordinal: int
    inside: bool = False


@dataclass(frozen=True, slots=True)
class ActorSpec:
    """``path`` is empty for the root, which has no ``meta``; ``parent_seq`` is the call that contains it.

    ``bundle`` is the source that its VM runs, from the project root ``root`` if that is known, and ``folder``
    is where templates lie beside it. ``chain`` names the actors from the root to this one; ``inherited`` are
    the parent's calls that may settle in it, by their keys there. ``need`` is what it
    asks of its host. ``live`` False: it replays its record and makes no
    call. ``record_complete``: the record is of an actor that ended, so it must make exactly the calls recorded.
    ``stop`` is where a replay stops earlier.
    """

    path: str
    origin: Origin
    bundle: Bundle
    past: Past
    root: Path | None
    folder: Path | None
    chain: tuple[str, ...]
    parent_seq: int | None = None
    meta: ActorMeta | None = None
    inherited: Mapping[int, Started] = field(default_factory=dict)
    need: Need = ANYWHERE
    live: bool = True
    record_complete: bool = False
    stop: Stop | None = None

    @property
    def is_branch(self) -> bool:
        return self.meta is not None and self.meta.kind == "branch"
