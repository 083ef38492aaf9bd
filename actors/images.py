"""Images of forks in the cluster's object store: put there once, taken by every host that has a branch of it."""

import asyncio
from collections import OrderedDict

import ray

from chidori_actors.vm.image import Image

from .shipping import ShippedFork, ShippedProgram

_MOST = 16
"""So many are kept in this process: the branches of a fork start together."""


class Images:
    """A host's images, and their references in the object store."""

    def __init__(self) -> None:
        self._references: OrderedDict[int, tuple[Image, ray.ObjectRef[Image]]] = OrderedDict()
        self._taken: dict[ray.ObjectRef[Image], asyncio.Future[Image]] = {}

    def put(self, image: Image) -> "ray.ObjectRef[Image]":
        """Where other hosts can take the image."""
        known = self._references.get(id(image))
        if known is not None:
            return known[1]
        reference = ray.put(image)
        self._keep(image, reference)
        return reference

    async def of(self, origin: ShippedFork | ShippedProgram) -> Image | None:
        """The image of a fork; None for what is none.

        Raises:
            RayError: the host that put it there is gone.
        """
        if isinstance(origin, ShippedProgram):
            return None
        reference: ray.ObjectRef[Image] = origin.image
        taking = self._taken.get(reference)
        if taking is None:
            # The branches of a fork come together, and all want it.
            taking = self._taken[reference] = asyncio.ensure_future(reference)
        try:
            image = await asyncio.shield(taking)
        except BaseException:
            self._taken.pop(reference, None)
            raise
        if id(image) not in self._references:
            self._keep(image, reference)
        return image

    def _keep(self, image: Image, reference: "ray.ObjectRef[Image]") -> None:
        self._references[id(image)] = image, reference
        if len(self._references) > _MOST:
            _, (_, oldest) = self._references.popitem(last=False)
            self._taken.pop(oldest, None)
