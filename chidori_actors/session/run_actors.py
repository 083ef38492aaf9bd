"""The actors of a run besides its root: those that the store knows, and lanes and sources for new ones."""

from collections.abc import Iterable

from ..errors import StoreError
from ..journal.actors import ActorMeta
from ..journal.blobs import DAMAGED_HINT
from ..journal.bundles import bundle_write, get_bundle
from ..journal.store import Store, Write
from ..languages.bundle import Bundle


class RunActors:
    """One per live run. An actor is known by the call that contains it and its index in there."""

    def __init__(self, store: Store, root_lane: int, known: Iterable[ActorMeta]) -> None:
        self._store = store
        self._known = {(meta.parent_seq, meta.index): meta for meta in known}
        self._calls = {meta.parent_seq for meta in self._known.values()}
        self._last_lane = max((meta.lane for meta in self._known.values()), default=root_lane)
        self._bundles: dict[str, Bundle] = {}

    def find(self, call_seq: int, index: int) -> ActorMeta | None:
        """The actor that was started for the call with that seq."""
        return self._known.get((call_seq, index))

    def has_any(self, call_seq: int) -> bool:
        """Whether an actor was started for the call with that seq."""
        return call_seq in self._calls

    def put(self, meta: ActorMeta) -> None:
        """What is known of an actor from now on."""
        self._known[meta.parent_seq, meta.index] = meta
        self._calls.add(meta.parent_seq)

    def new_lane(self) -> int:
        """A lane that no actor of the run has."""
        self._last_lane += 1
        return self._last_lane

    def take_bundle(self, bundle: Bundle) -> tuple[str, list[Write]]:
        """The hash under which a source is stored, and the write that stores it when this is its first use."""
        text = bundle.to_json()
        digest, write = bundle_write(text)
        if digest in self._bundles:
            return digest, []
        self._bundles[digest] = bundle
        return digest, [write]

    def bundle(self, digest: str) -> Bundle:
        """A stored source.

        Raises:
            StoreError: it is missing or damaged.
        """
        if digest not in self._bundles:
            try:
                self._bundles[digest] = Bundle.from_json(get_bundle(self._store, digest))
            except ValueError as error:
                raise StoreError(f"the source bundle {digest} cannot be read: {error}", hint=DAMAGED_HINT) from None
        return self._bundles[digest]
