"""The index of which runs come from which."""

import pytest

from chidori_actors.journal.families import child_writes
from chidori_actors.journal.lanes import RUN_LANES
from chidori_actors.journal.runs import RunMeta

LONGEST = "p" * 128


@pytest.mark.parametrize(("parent", "is_entered"), [(LONGEST, True), (LONGEST + "p", False), ("ä" * 300, False)])
def test_a_file_that_names_what_no_run_is_called_makes_no_entry(parent: str, is_entered: bool) -> None:
    run = "r" * 128
    meta = RunMeta(run, "/a.ts", "completed", b"{}", 1, 1, "00", 0, RUN_LANES, {}, origin_run_id=parent)
    keys = [write.key for write in child_writes(meta)]
    assert keys == ([b"child/" + parent.encode() + b"\x00" + run.encode()] if is_entered else [])
    assert all(len(key) <= 511 for key in keys)
