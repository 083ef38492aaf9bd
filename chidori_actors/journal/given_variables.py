"""The environment variables that the agents of a run were given, by name: their values belong into no answer."""

import hashlib
from collections.abc import Iterable, Iterator

from .entries import Started
from .json_text import parse_json
from .runs import RunMeta, decode_run
from .store import Store, Write

_FUNCTION = "env"


def given_write(run_id: str, name: str) -> Write:
    """The write that says that an agent of the run was given variable ``name``."""
    # A name may be longer than a key.
    return Write("meta", given_prefix(run_id) + hashlib.sha256(name.encode()).digest(), name.encode())


def given_prefix(run_id: str) -> bytes:
    """What the keys of a run in ``meta`` begin with."""
    return b"given/" + run_id.encode() + b"\x00"


def given_in(run_id: str, calls: Iterable[Started]) -> Iterator[Write]:
    """The writes for a run that is stored with these calls."""
    for call in calls:
        if call.function == _FUNCTION:
            args = parse_json(call.args)
            name = args.get("name") if isinstance(args, dict) else None
            if isinstance(name, str) and name.isascii():
                yield given_write(run_id, name)


def given_variables(store: Store, meta: RunMeta) -> Iterator[str]:
    """The variables that the run's agents were given, and those of the runs whose record it shares.

    Raises:
        StoreError: the description of one of them is damaged.
    """
    while True:
        for _, name in store.scan("meta", given_prefix(meta.id)):
            yield name.decode()
        above = None if meta.branch is None else meta.branch["parent_run_id"]
        stored = None if above is None else store.get("runs", above.encode())
        if above is None or stored is None:
            return
        meta = decode_run(store, above, stored)
