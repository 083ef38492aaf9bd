"""Plain JavaScript gives the same in the engine as in native QuickJS, an independent build."""

import json
from pathlib import Path
from typing import Any

import pytest
import quickjs

from tests.support.javascript import COMPLETION, as_completion, run_javascript

PROGRAMS = sorted((Path(__file__).parent / "corpus").glob("*.js"))


def run_natively(source: str) -> Any:
    """As ``run_javascript``, in the package ``quickjs``."""
    context = quickjs.Context()
    context.eval(as_completion(source))
    while context.execute_pending_job():
        pass
    return json.loads(context.eval(COMPLETION)).get("value")


def test_the_corpus_is_there() -> None:
    assert len(PROGRAMS) >= 60


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.stem)
def test_gives_the_same_as_native_quickjs(program: Path) -> None:
    source = program.read_text("utf-8")
    expected = run_natively(source)
    assert expected is not None, "the program has no result to compare"
    assert run_javascript(source) == expected
