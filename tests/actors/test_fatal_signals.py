"""Traps of WebAssembly in processes that have joined a Ray cluster: errors, and not the end of the process."""

import os
import signal
import sys
from pathlib import Path

from tests.support.agents import failure_of, start, within, write_agent
from tests.support.process import finished

from .clusters import SECONDS, cluster_in, front_of, ray_address

DEEP = f"export async function agent() {{ return {'[' * 200_000}{']' * 200_000}; }}"
PROGRAM = """
import os
import signal
import sys
from pathlib import Path
from actors.connecting import join_cluster
from chidori_actors.errors import SourceError
from chidori_actors.languages.loading import load_bundle
from chidori_actors.settings import RuntimePolicy
load_bundle(Path(sys.argv[1]) / "sound.ts", RuntimePolicy())
join_cluster(sys.argv[2], "any")
try:
    load_bundle(Path(sys.argv[1]) / "deep.ts", RuntimePolicy())
except SourceError as error:
    print(error)
"""


async def test_a_front_that_joins_a_cluster_outlives_a_trap(tmp_path: Path, namespace: str) -> None:
    (tmp_path / "sound.ts").write_text("export async function agent() { return 1; }")
    (tmp_path / "deep.ts").write_text(DEEP)
    command = (sys.executable, "-c", PROGRAM, str(tmp_path), ray_address())
    code, out, err = await finished(*command, cwd=Path(__file__).parents[2], env=os.environ, seconds=SECONDS)
    assert code == 0, err
    assert b"gave up" in out


async def test_a_client_of_a_cluster_ends_at_sigterm_without_a_word_of_rays() -> None:
    program = "import os, sys; from actors.connecting import join_cluster; join_cluster(sys.argv[1], 'any')"
    command = (sys.executable, "-c", f"{program}; os.kill(os.getpid(), 15); input()", ray_address())
    code, _, err = await finished(*command, cwd=Path(__file__).parents[2], env=os.environ, seconds=SECONDS)
    assert (code, err) == (-signal.SIGTERM, "")


async def test_a_host_outlives_a_trap(tmp_path: Path, namespace: str) -> None:
    path = write_agent(tmp_path, 'export async function agent(input, chidori) { return chidori.callAgent("deep.ts"); }')
    (tmp_path / "deep.ts").write_text(DEEP)
    async with cluster_in(tmp_path, namespace, hosts=1, max_hosts=1) as handles, front_of(handles) as runtime:
        result = await within(SECONDS, start(runtime, path))
        assert "gave up" in failure_of(result).error["message"]
