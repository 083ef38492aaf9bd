"""What a host tells the supervisor of its runs: in order, and many in one call."""

import asyncio

from .supervisor_link import SupervisorLink
from .work import Work

Change = Work | str
"""A run that is at home on the host from now on, or the id of one that is so no more."""


class Reports:
    """Of the host ``me``."""

    def __init__(self, me: str, supervisor: SupervisorLink) -> None:
        self._me = me
        self._supervisor = supervisor
        self._waiting: list[tuple[Change, asyncio.Future[None]]] = []
        self._telling: asyncio.Task[None] | None = None

    async def tell(self, change: Change) -> None:
        """Returns once the supervisor knows.

        Raises:
            ChidoriError: it cannot be reached for long.
        """
        known: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((change, known))
        if self._telling is None:
            self._telling = asyncio.create_task(self._tell())
        await known

    async def _tell(self) -> None:
        await asyncio.sleep(0)  # what else changes in this turn of the loop is told with it
        while self._waiting:
            told, self._waiting = self._waiting, []
            error: Exception | None = None
            try:
                await self._supervisor.ask("report", self._me, [change for change, _ in told])
            except Exception as raised:
                error = raised
            for _, known in told:
                if known.done():
                    continue
                if error is None:
                    known.set_result(None)
                else:
                    known.set_exception(error)
        self._telling = None
