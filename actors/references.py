"""Messages as bytes, beside the references into the object store that are in them.

Ray counts a reference only when it sees it among a call's arguments; one that is hidden in bytes would be freed.
"""

import copyreg
import io
import pickle
from contextvars import ContextVar
from typing import Any

import ray

References = list["ray.ObjectRef[Any]"]

_came: ContextVar[References] = ContextVar("_came")


def dumps(value: Any) -> tuple[bytes, References]:
    """``value`` without its references, and these."""
    found: References = []

    def reduced(reference: "ray.ObjectRef[Any]") -> tuple[Any, ...]:
        found.append(reference)
        return _reference, (len(found) - 1,)

    into = io.BytesIO()
    pickler = pickle.Pickler(into, pickle.HIGHEST_PROTOCOL)
    # A table of the pickler's own takes the place of the common one.
    pickler.dispatch_table = {**copyreg.dispatch_table, ray.ObjectRef: reduced}
    pickler.dump(value)
    return into.getvalue(), found


def loads(data: bytes, references: References) -> Any:
    """The reverse of ``dumps``."""
    token = _came.set(references)
    try:
        return pickle.loads(data)
    finally:
        _came.reset(token)


def _reference(place: int) -> "ray.ObjectRef[Any]":
    return _came.get()[place]
