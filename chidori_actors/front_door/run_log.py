"""The run log: a line when a run begins or goes on, and one when it came to rest."""

from ..errors import ChidoriError
from ..journal.runs import RunMeta
from .log_lines import LogFormat, LogLines
from .views import error_text


class RunLog:
    """Writes the lines of a server's runs: ids, agents and outcomes, no inputs or outputs."""

    def __init__(self, log_format: LogFormat) -> None:
        self._lines = LogLines(log_format)

    def began(self, run_id: str, agent: str) -> None:
        """A run is under way, from its beginning or from where it was."""
        self._lines.write("run began", id=run_id, agent=agent)

    def waits(self, run_id: str, reason: str) -> None:
        """Something in it takes long; nothing is wrong."""
        self._lines.write("run waits", id=run_id, reason=reason)

    def rested(self, meta: RunMeta, seconds: float) -> None:
        """Nothing of it can go on by itself. ``seconds`` is how long it was under way this time."""
        self._lines.write(
            "run rested",
            id=meta.id,
            agent=meta.agent,
            status=meta.status,
            calls=meta.calls,
            ms=round(seconds * 1000, 1),
            error=error_text(meta),
        )

    def interrupted(self, run_id: str) -> None:
        """The server stops; the run is taken up again when it is started anew."""
        self._lines.write("run interrupted", id=run_id)

    def failed(self, run_id: str, error: Exception) -> None:
        """The run could not go on, and is in the store as it was; what nobody foresaw comes with a traceback."""
        foreseen = isinstance(error, ChidoriError)
        self._lines.write("run stopped", None if foreseen else error, id=run_id, error=str(error) or None)
