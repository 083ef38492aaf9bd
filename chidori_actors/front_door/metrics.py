"""What the server counts, in Prometheus' text format."""

from ..journal.lanes import Settled, Started


class Metrics:
    """Counters of this process, from its start on."""

    def call_ended(self, call: Started, settled: Settled) -> None:
        """A call was made and came to an end."""

    def rested(self, status: str) -> None:
        """A run came to rest."""

    def commit_seconds(self, seconds: float) -> None:
        """A transaction of the journal took so long."""
