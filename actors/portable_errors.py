"""Errors that go to another process."""

import pickle

from chidori_actors.errors import ChidoriError


def portable(error: Exception) -> Exception:
    """``error``, or what it says when the other end could not make it again."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:  # whatever its class does there
        return ChidoriError(f"{type(error).__name__}: {error}")
    return error
