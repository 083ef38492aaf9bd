"""What docs/serving.md shows, done in its order at the real server."""

import os
import sys
from pathlib import Path

import pytest

from tests.support.agents import write_agent
from tests.support.examples import ROOT
from tests.support.process import finished
from tests.support.server import server_process

from .pages import blocks, links, read_page

PAGE = read_page("serving.md")
COMMANDS = f"""
set -eu
chidori() {{ "{sys.executable}" -m chidori_actors "$@"; }}
curl() {{ command curl --fail-with-body --show-error "$@"; echo; }}
"""


async def test_every_command_and_the_client_of_the_page_work_in_their_order(tmp_path: Path) -> None:
    (source,) = blocks(PAGE, "ts")
    serve, *commands = blocks(PAGE, "bash")
    assert serve.endswith("chidori serve notice.ts --port 8080 &\n")
    async with server_process(write_agent(tmp_path, source, "notice.ts"), {}) as server:
        place = f"127.0.0.1:{server.port}"
        env = {**os.environ, "CHIDORI_DB_PATH": str(tmp_path / ".chidori" / "store")}
        script = COMMANDS + "".join(commands).replace("localhost:8080", place)
        code, out, err = await finished("bash", "-c", script, cwd=tmp_path, env=env)
        assert code == 0, f"{out.decode()}\n{err}"
        said = out.decode()
        for text in ('"status":"paused"', '"published":true', "event: done", '"replayed_from":"n1"', '"cancelled"'):
            assert text in said
        (client,) = blocks(PAGE, "python")
        program = client.replace("localhost:8080", place)
        code, out, err = await finished(sys.executable, "-c", program, cwd=tmp_path, env=env)
        assert code == 0, err
        assert out.decode().splitlines()[0].startswith("completed {")
        assert out.decode().splitlines()[-1] == "done"


@pytest.mark.parametrize("link", links(PAGE))
def test_what_the_page_links_to_is_there(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
