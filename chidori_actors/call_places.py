"""Where in the agents' own sources the calls of a run were made."""

from collections.abc import Iterable, Mapping

from .journal.actors import ActorMeta
from .journal.store import Store
from .languages.bundle import Bundle
from .session.failure import Place, call_place
from .stored_source import read_bundle


def actor_sources(root: str | None, actors: Iterable[ActorMeta]) -> Mapping[str, str | None]:
    """The hash of the source of each actor by its path, that of the root (the empty path) being ``root``. ``actors``
    are the others, each after its parent."""
    sources: dict[str, str | None] = {"": root}
    for actor in actors:
        sources[actor.path] = actor_source(actor, sources)
    return sources


def actor_source(actor: ActorMeta, sources: Mapping[str, str | None]) -> str | None:
    """The hash of one actor's source; ``sources`` has those of the actors around it."""
    if actor.kind != "branch":
        return actor.bundle
    # A branch runs the source of the actor that forked.
    return sources[actor.path.rpartition("/")[0].rpartition("/")[0]]


class CallPlaces:
    """Looks up every place once: agents make many calls from few places. ``whose`` names the sources in errors."""

    def __init__(self, store: Store, whose: str) -> None:
        self._store = store
        self._whose = whose
        self._bundles: dict[str, Bundle] = {}
        self._known: dict[tuple[str, str | None], Place | None] = {}

    def bundle(self, digest: str) -> Bundle:
        """The source of that hash.

        Raises:
            StoreError: it is missing or damaged.
        """
        if digest not in self._bundles:
            self._bundles[digest] = read_bundle(self._store, digest, self._whose)
        return self._bundles[digest]

    def find(self, digest: str | None, site: str | None) -> Place | None:
        """The place of a call's ``site`` in the source of that hash, None when it is not known.

        Raises:
            StoreError: the source is missing or damaged.
        """
        if digest is None:
            return None
        key = digest, site
        if key not in self._known:
            self._known[key] = call_place(site, self.bundle(digest))
        return self._known[key]
