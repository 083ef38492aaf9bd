"""``chidori cluster``."""

import os
import socket
import subprocess
import sys

import pytest
from click.testing import CliRunner

from chidori_actors.cli import run_command
from chidori_actors.cli.clusters import cluster
from chidori_actors.placement import clusters
from chidori_actors.placement.clusters import (
    ClusterOptions,
    ClusterStatus,
    DrainReport,
    HostStatus,
    LossStatus,
    NodeStatus,
    ShardStatus,
    StopReport,
)
from chidori_actors.settings import Settings

_STATUS = ClusterStatus(
    version="chidori-actors 0.1.0, Ray 2.60.0",
    store="/data/journal",
    durability="strict",
    nodes=[NodeStatus("0123456789ab", "10.0.0.1", "head", 8.0, 1.0, "up", 1)],
    hosts=[HostStatus("host-1", "0123456789ab", "up", 3, 256, 2, "1 GPU", 77, 50 << 20, 0.5, True)],
    shards=[ShardStatus("journal-0", "0123456789ab", "/data/journal", 4096, True)],
    losses=[LossStatus(1_700_000_000_000, "host-0", "0123456789ab", 5, "it answered nothing for 30 s")],
    runs=2,
    waiting=1,
    failure=None,
)


class _System:
    """Remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[object] = []

    def start(self, settings: Settings, options: ClusterOptions) -> ClusterStatus:
        self.asked.append(options)
        return _STATUS

    def status(self, options: ClusterOptions) -> ClusterStatus:
        self.asked.append(options)
        return _STATUS

    def drain(self, options: ClusterOptions, node: str) -> DrainReport:
        self.asked.append(node)
        return DrainReport("0123456789ab", "10.0.0.1", 2, 1, 5, 1.5, ["host-1"])

    def stop(self, options: ClusterOptions) -> StopReport:
        self.asked.append(options)
        return StopReport(2, 1, ["run-a"])


class _EntryPoint:
    def __init__(self, system: _System) -> None:
        self._system = system

    def load(self) -> _System:
        return self._system


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> _System:
    found = _System()
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (_EntryPoint(found),))
    return found


def test_start_hands_on_what_the_user_wishes(system: _System, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHIDORI_RAY_ADDRESS", "10.0.0.1:6379")
    done = CliRunner().invoke(cluster, ["start", "--hosts", "4", "--shards", "2"])
    assert done.output == "1 host on 1 node; the journal is in /data/journal\n"
    assert system.asked == [ClusterOptions("10.0.0.1:6379", hosts=4, shards=2)]


def test_status_shows_everything_in_full_when_it_is_piped(system: _System) -> None:
    done = CliRunner().invoke(cluster, ["status"])
    for shown in (
        "01234567",
        "10.0.0.1",
        "host-1",
        "77",
        "50.0 MB",
        "50%",
        "1 GPU",
        "journal-0",
        "/data/journal",
        "2023-11-1",
        "nothing for 30 s",
    ):
        assert shown in done.output
    assert "2 runs under way, 1 actor waiting for room" in done.output


def test_status_is_json_on_demand(system: _System) -> None:
    done = CliRunner().invoke(cluster, ["status", "--json", "--address", "auto"])
    assert '"memory_bytes": 52428800' in done.output
    assert system.asked == [ClusterOptions("auto")]


def test_drain_says_what_moved(system: _System) -> None:
    done = CliRunner().invoke(cluster, ["drain", "0123"])
    assert "moved 1 run and 5 actors away from 01234567 (10.0.0.1) in 1.500s" in done.output
    assert "host-1" in done.output
    assert "`ray stop` may be run there" in done.output
    assert system.asked == ["0123"]


def test_stop_lists_what_can_be_resumed(system: _System) -> None:
    done = CliRunner().invoke(cluster, ["stop"])
    assert done.output == "stopped 2 hosts and 1 journal shard\n1 run can be resumed:\n  run-a\n"


def test_without_ray_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    assert run_command(["cluster", "status"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("Error: chidori cluster needs Ray")
    assert "install chidori-actors[ray]" in error


def test_with_a_package_that_lacks_ray_it_says_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Broken:
        def load(self) -> None:
            raise ModuleNotFoundError("No module named 'ray'", name="ray")

    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: (Broken(),))
    assert run_command(["cluster", "stop"]) == 2
    assert "install chidori-actors[ray]" in capsys.readouterr().err


def test_the_entry_point_of_this_package_is_found() -> None:
    assert callable(clusters.find_system("the test").drain)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ray://head:10001", "Ray client"),
        ("head", "is not an address of a cluster"),
        ("head:123456", "is not an address of a cluster"),
    ],
)
def test_an_address_that_is_none_is_refused(address: str, message: str) -> None:
    done = _chidori("cluster", "status", "--address", address)
    assert done.returncode == 2
    assert message in done.stderr


def _chidori(*args: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: this one may have joined a cluster for other tests."""
    environ = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"}
    command = [sys.executable, "-m", "chidori_actors", *args]
    return subprocess.run(command, capture_output=True, text=True, env=environ, timeout=60, check=False)


def test_an_address_where_nothing_answers_is_refused_at_once() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{unused.getsockname()[1]}"
        done = _chidori("cluster", "status", "--address", address)
    assert done.returncode == 1
    assert f"no cluster answers at {address}" in done.stderr
    assert "ray status" in done.stderr
    assert done.stdout == ""
