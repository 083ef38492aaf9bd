"""Source bundles on a host: each fetched from its front once."""

import asyncio
from collections import OrderedDict

from chidori_actors.languages.bundle import Bundle

from .work import Source

_MOST = 32


class Sources:
    """The bundles that were used last, by their digests."""

    def __init__(self) -> None:
        self._taken: OrderedDict[str, asyncio.Future[Bundle]] = OrderedDict()

    async def get(self, source: Source) -> Bundle:
        """The bundle.

        Raises:
            RayError: the front that had put it there is gone.
        """
        taking = self._taken.get(source.digest)
        if taking is None:
            taking = self._taken[source.digest] = asyncio.ensure_future(_take(source))
            if len(self._taken) > _MOST:
                self._taken.popitem(last=False)
        self._taken.move_to_end(source.digest)
        try:
            return await asyncio.shield(taking)
        except BaseException:
            if taking.done():
                self._taken.pop(source.digest, None)
            raise


async def _take(source: Source) -> Bundle:
    return Bundle.from_json(await source.text)
