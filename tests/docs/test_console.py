"""What docs/console.md shows of a failed delivery, done in its order at the real server; and which routes it names."""

import os
import re
import sys
from pathlib import Path

import pytest

from chidori_actors.front_door.route_table import ROUTES
from tests.support.agents import write_agent
from tests.support.examples import ROOT
from tests.support.process import finished
from tests.support.server import server_process

from .pages import blocks, links, read_page, section

PAGE = read_page("console.md")
SERVING = read_page("serving.md")
COMMANDS = f"""
set -eu
chidori() {{ "{sys.executable}" -m chidori_actors "$@"; }}
curl() {{ command curl --show-error "$@"; echo; }}
"""


async def test_the_failed_delivery_of_the_page_goes_as_the_page_says(tmp_path: Path) -> None:
    (source,) = blocks(PAGE, "ts")
    serve, *commands = blocks(PAGE, "bash")
    assert serve.endswith("chidori serve triage.ts --port 8080 &\n")
    model = {"CHIDORI_TEST_LLM_RESPONSE": "It depends."}
    async with server_process(write_agent(tmp_path, source, "triage.ts"), model) as server:
        env = {**os.environ, **model, "CHIDORI_DB_PATH": str(tmp_path / ".chidori" / "store")}
        script = COMMANDS + "".join(commands).replace("localhost:8080", f"127.0.0.1:{server.port}")
        code, out, err = await finished("bash", "-c", script, cwd=tmp_path, env=env)
    said = out.decode()
    assert code == 0, f"{said}\n{err}"
    for text in (
        "there is no label It depends.",
        "run mended: completed",
        "OK: delivery.json",
        '"recorded":1,"live":0',
        '"shared_calls":1',
        '"right_only":1',
    ):
        assert text in said, said


def test_every_route_of_the_server_stands_in_one_of_the_two_pages() -> None:
    told = section(PAGE, "API") + SERVING
    for route in ROUTES:
        last = [part for part in route.path.split("/") if not part.startswith("{")][-1]
        assert re.search(rf"[/…`]{re.escape(last)}\b", told), route.path


@pytest.mark.parametrize("link", links(PAGE))
def test_what_the_page_links_to_is_there(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
