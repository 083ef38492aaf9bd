"""The console's pure modules: their own tests (``*.test.mjs``), run by Node."""

import os
import shutil
from pathlib import Path

import pytest

from tests.support.process import finished

HERE = Path(__file__).parent
NODE = shutil.which("node")
# Node before 22 has to be told that a .js file without a package.json may be an ES module.
COMMAND = ("--experimental-detect-module", "--test", "--test-reporter=spec")


@pytest.mark.skipif(NODE is None, reason="the console's modules are tested with Node, which is not installed")
@pytest.mark.parametrize("file", sorted(path.name for path in HERE.glob("*.test.mjs")))
async def test_a_module_passes_its_own_tests(file: str) -> None:
    code, stdout, stderr = await finished(NODE or "node", *COMMAND, str(HERE / file), cwd=HERE, env=os.environ)
    assert code == 0, f"{stdout.decode()}\n{stderr}"
