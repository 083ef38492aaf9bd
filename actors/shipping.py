"""What goes to another host so that an actor can live there."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chidori_actors.journal.actors import ActorMeta
from chidori_actors.journal.lanes import Started
from chidori_actors.languages.bundle import Bundle
from chidori_actors.placement.need import Need
from chidori_actors.policy import Policy
from chidori_actors.session.actor_spec import ActorSpec
from chidori_actors.session.context import RunContext
from chidori_actors.session.origins import Fork, Origin, Program
from chidori_actors.session.past import Past
from chidori_actors.session.program import BundleSources
from chidori_actors.session.run_actors import Lanes
from chidori_actors.settings import Settings
from chidori_actors.vm.image import Image

_MOST_BUNDLES = 64

BundleKey = int
ShippedBundle = tuple[BundleKey, Bundle | None]
"""A source, which is left out when the host has had it under that key."""


@dataclass(frozen=True, slots=True)
class ShippedRun:
    """What an actor elsewhere needs of its run (see ``RunContext`` and ``HostServices``).

    ``has_board``: questions may stay open while the run goes on. ``mcp`` are the names of the MCP servers.
    """

    settings: Settings
    policy: Policy
    bundle: ShippedBundle
    root: Path
    folder: Path
    seed: str
    runtime_policy: Mapping[str, str]
    default_model: str | None
    image_every: int
    attempt: int
    waiting: frozenset[str]
    has_board: bool
    mcp: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class ShippedFork:
    """``image`` is a reference to the ``Image`` in the object store of the cluster."""

    image: Any
    config: Mapping[str, Any]
    epoch_ms: int


@dataclass(frozen=True, slots=True)
class ShippedProgram:
    """Its sources are those of the actor's bundle."""

    config: Mapping[str, Any]
    input: bytes
    epoch_ms: int


@dataclass(frozen=True, slots=True)
class ShippedActor:
    """An ``ActorSpec``, where its lane is, and what the run knows of actors inside of it and of secrets.

    ``seq``, ``index`` and ``last_ms`` are the run's when it was sent.
    """

    path: str
    origin: ShippedFork | ShippedProgram
    bundle: ShippedBundle
    past: Past | None
    root: Path | None
    folder: Path | None
    chain: tuple[str, ...]
    parent_seq: int | None
    meta: ActorMeta
    need: Need
    inherited: Mapping[int, Started]
    lane: int
    length: int
    known: Lanes
    known_secrets: tuple[str, ...]
    seq: int
    index: int
    last_ms: int


class SentBundles:
    """Which sources one peer has. The oldest are forgotten on both sides alike, because both see the same order."""

    def __init__(self) -> None:
        self._keys: dict[int, tuple[BundleKey, Bundle]] = {}
        self._last = 0

    def ship(self, bundle: Bundle) -> ShippedBundle:
        """The bundle for a message that will be taken in the order of these calls."""
        known = self._keys.get(id(bundle))
        if known is not None:
            return known[0], None
        self._last += 1
        self._keys[id(bundle)] = self._last, bundle
        if len(self._keys) > _MOST_BUNDLES:
            del self._keys[next(iter(self._keys))]
        return self._last, bundle


class TakenBundles:
    """The other end of ``SentBundles``."""

    def __init__(self) -> None:
        self._bundles: dict[BundleKey, Bundle] = {}

    def take(self, shipped: ShippedBundle) -> Bundle:
        """The source that a message brought or means."""
        key, bundle = shipped
        if bundle is None:
            return self._bundles[key]
        self._bundles[key] = bundle
        if len(self._bundles) > _MOST_BUNDLES:
            del self._bundles[next(iter(self._bundles))]
        return bundle


def ship_run(run: RunContext, bundles: SentBundles) -> ShippedRun:
    """What another host needs of the run."""
    services = run.services
    return ShippedRun(
        settings=services.settings,
        policy=run.policy,
        bundle=bundles.ship(run.bundle),
        root=run.root,
        folder=run.folder,
        seed=run.seed,
        runtime_policy=run.runtime_policy,
        default_model=services.default_model,
        image_every=run.image_every,
        attempt=run.attempt,
        waiting=run.waiting,
        has_board=run.board is not None,
        mcp=None if run.mcp is None else tuple(run.mcp.names),
    )


def ship_actor(
    spec: ActorSpec,
    run: RunContext,
    lane: int,
    length: int,
    known: Lanes,
    put_image: Callable[[Image], Any],
    bundles: SentBundles,
) -> ShippedActor:
    """The actor of ``spec``. ``put_image`` puts an image where other hosts can take it."""
    assert spec.meta is not None
    past = spec.past
    return ShippedActor(
        path=spec.path,
        origin=_ship_origin(spec.origin, put_image),
        bundle=bundles.ship(spec.bundle),
        past=None if past.length == 0 else past,
        root=spec.root,
        folder=spec.folder,
        chain=spec.chain,
        parent_seq=spec.parent_seq,
        meta=spec.meta,
        need=spec.need,
        inherited=spec.inherited,
        lane=lane,
        length=length,
        known=known,
        known_secrets=run.services.secrets.known,
        seq=run.numbers.seq,
        index=run.numbers.index,
        last_ms=run.last_ms,
    )


def _ship_origin(origin: Origin, put_image: Callable[[Image], Any]) -> ShippedFork | ShippedProgram:
    if isinstance(origin, Fork):
        return ShippedFork(put_image(origin.image), origin.config, origin.epoch_ms)
    assert isinstance(origin, Program)
    return ShippedProgram(origin.config, origin.input, origin.epoch_ms)


def taken_spec(shipped: ShippedActor, bundle: Bundle, image: Image | None) -> ActorSpec:
    """The spec of an actor that came; ``image`` is that of its fork."""
    origin = shipped.origin
    if isinstance(origin, ShippedFork):
        assert image is not None
        made: Origin = Fork(image, origin.config, origin.epoch_ms)
    else:
        made = Program(BundleSources(bundle), dict(origin.config), origin.input, origin.epoch_ms)
    return ActorSpec(
        path=shipped.path,
        origin=made,
        bundle=bundle,
        past=shipped.past or Past(),
        root=shipped.root,
        folder=shipped.folder,
        chain=shipped.chain,
        parent_seq=shipped.parent_seq,
        meta=shipped.meta,
        inherited=shipped.inherited,
        need=shipped.need,
    )
