"""What docs/cluster.md shows of a first cluster, done in its order on a machine of its own."""

from collections.abc import Iterator

import pytest

from chidori_actors.cli.clusters import cluster
from tests.deploy.machine import Machine, machine, missing
from tests.support.examples import ROOT

from .pages import blocks, links, read_page, section

PAGE = read_page("cluster.md")
FIRST = section(PAGE, "A first cluster, on one machine")
LIMIT_S = 150
"""A quarter of it on an idle machine."""
START = """
set -eu
mkdir ~/first && cd ~/first && cat > notes.ts
curl() { command curl --fail-with-body --show-error "$@"; echo; }
"""
SERVES = "until command curl --silent --output /dev/null localhost:8080/health; do kill -0 %1; sleep 0.1; done\n"


@pytest.fixture
def computer() -> Iterator[Machine]:
    if (reason := missing()) is not None:
        pytest.skip(reason)
    with machine() as made:
        yield made


@pytest.mark.slow
@pytest.mark.xdist_group("ray")
def test_the_first_cluster_of_the_page_works_command_by_command(computer: Machine) -> None:
    (source,) = blocks(FIRST, "ts")
    commands = blocks(FIRST, "bash")
    script = START + "".join(command + (SERVES if command.endswith("&\n") else "") for command in commands)

    done = computer.run(script, LIMIT_S, stdin=source)

    assert done.returncode == 0, done.stdout
    for text in (
        "2 hosts on 1 node; the journal is in ",
        "0 runs under way, 0 actors waiting for room",
        '"It depends."',
        '"id":"n1","run_id":"n1","status":"completed"',
        "run n1: completed",
        "stopped 2 hosts and 1 journal shard",
    ):
        assert text in done.stdout, done.stdout
    left = computer.run("while pgrep -f '[r]aylet|[g]cs_server|[r]ay::|[c]hidori serve'; do sleep 0.2; done", 30)
    assert left.returncode == 0, computer.processes()


def test_the_page_names_every_command_of_the_cluster_and_every_option_of_its_start() -> None:
    for name in cluster.commands:
        assert f"chidori cluster {name}" in PAGE
    for parameter in cluster.commands["start"].params:
        assert f"`{parameter.opts[0]}" in section(PAGE, "Options")


@pytest.mark.parametrize("link", links(PAGE))
def test_what_the_page_links_to_is_there(link: str) -> None:
    assert (ROOT / "docs" / link).exists()
