"""The lanes of a run with all of its actors."""

from chidori_actors.journal.actors import run_actors
from chidori_actors.journal.lanes import Entry, apply_retries, read_lane
from chidori_actors.journal.runs import get_run
from chidori_actors.journal.store import Store


def lanes_of(store: Store, run_id: str = "test-run") -> dict[str, list[Entry]]:
    """Each actor's lane as it counts, by the actor's path (empty: the root's)."""
    root = get_run(store, run_id).lane
    lanes = {"": root} | {actor.path: actor.lane for actor in run_actors(store, root)}
    return {path: apply_retries(read_lane(store, lane)) for path, lane in lanes.items()}
