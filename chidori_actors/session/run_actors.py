"""The actors of a run besides its root: those that the store knows, and lanes and sources for new ones."""

from collections.abc import Iterable, Mapping

from ..journal.actors import ActorMeta, ActorPlace, get_actor
from ..journal.bundles import bundle_write
from ..journal.store import Store, Write
from ..languages.bundle import Bundle
from ..stored_source import read_bundle

Lanes = Mapping[int, Mapping[int, int]]
"""The lanes of actors, by the seq of the call that contains them and their index in there."""


def lanes_of(places: Iterable[ActorPlace]) -> Lanes:
    """Where these actors write."""
    lanes: dict[int, dict[int, int]] = {}
    for place in places:
        lanes.setdefault(place.parent_seq, {})[place.index] = place.lane
    return lanes


class RunActors:
    """One per live run. An actor is known by the call that contains it and its index in there.

    ``stored`` are those that the store had at the beginning.
    """

    def __init__(self, store: Store, stored: Iterable[ActorPlace]) -> None:
        self._store = store
        # An actor's description, or the lane of one that nobody asked for yet. They hold inputs and outputs.
        self._known: dict[int, dict[int, ActorMeta | int]] = {}
        self.know(lanes_of(stored))
        self._bundles: dict[str, Bundle] = {}

    def know(self, stored: Lanes) -> None:
        """The store has these, too."""
        for call_seq, lanes in stored.items():
            self._known[call_seq] = {**lanes, **self._known.get(call_seq, {})}

    def lanes(self, call_seqs: Iterable[int]) -> Lanes:
        """What is known of the actors of these calls, for another host."""
        known = {call_seq: self._known[call_seq] for call_seq in call_seqs if call_seq in self._known}
        return {
            call_seq: {index: actor if isinstance(actor, int) else actor.lane for index, actor in actors.items()}
            for call_seq, actors in known.items()
        }

    def find(self, call_seq: int, index: int) -> ActorMeta | None:
        """The actor that was started for the call with that seq.

        Raises:
            StoreError: its description is damaged.
        """
        known = self._known.get(call_seq, {}).get(index)
        if isinstance(known, int):
            known = self._known[call_seq][index] = get_actor(self._store, known)
        return known

    def has_any(self, call_seq: int) -> bool:
        """Whether an actor was started for the call with that seq, which is not forgotten."""
        return call_seq in self._known

    def put(self, meta: ActorMeta) -> None:
        """What is known of an actor from now on."""
        self._known.setdefault(meta.parent_seq, {})[meta.index] = meta

    def reread(self, path: str, stored: Lanes) -> None:
        """Know of actors inside of the one at ``path`` what the store has, and no more: that one begins anew, and what
        was begun and not written, or was forgotten too early, is not so."""
        for actors in self._known.values():
            for index, known in list(actors.items()):
                # A lane alone is what the store has.
                if isinstance(known, ActorMeta) and known.path.startswith(f"{path}/"):
                    del actors[index]
        self._known = {call_seq: actors for call_seq, actors in self._known.items() if actors}
        self.know(stored)

    def forget(self, call_seq: int) -> None:
        """The call with that seq has what it wanted of its actors."""
        self._known.pop(call_seq, None)

    def take_bundle(self, bundle: Bundle) -> tuple[str, list[Write]]:
        """The hash under which a source is stored, and the write that stores it when this is its first use."""
        text = bundle.to_json()
        digest, write = bundle_write(text)
        # The actor that was to write it at its first use may have been lost with its host.
        if digest in self._bundles and self._store.get(write.database, write.key) is not None:
            return digest, []
        self._bundles[digest] = bundle
        return digest, [write]

    def bundle(self, digest: str) -> Bundle:
        """A stored source.

        Raises:
            StoreError: it is missing or damaged.
        """
        if digest not in self._bundles:
            self._bundles[digest] = read_bundle(self._store, digest, f"an actor ({digest})")
        return self._bundles[digest]
