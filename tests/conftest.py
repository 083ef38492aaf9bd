"""The system that the runtimes of tests use (``--system``), and one Ray for the tests that need one."""

import asyncio
import os
from collections.abc import Iterator

import pytest

from tests.support.systems import SYSTEMS, VARIABLE, chosen_system, stop_clusters

_RAY_WARNINGS = (
    # Ray's sockets and log files are closed by the collector; its modules use what is deprecated.
    "ignore::ResourceWarning",
    "ignore::DeprecationWarning",
    "ignore::FutureWarning",
    "ignore::pytest.PytestUnraisableExceptionWarning",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--system",
        choices=SYSTEMS,
        default="local",
        help="where the actors of tests live: in this process, on three hosts in it, or on a real Ray cluster",
    )


def pytest_configure(config: pytest.Config) -> None:
    os.environ[VARIABLE] = config.getoption("--system")
    config.addinivalue_line(
        "markers",
        "only_local(reason, also=...): the test cannot hold on other systems (`--system`) than this process's own; "
        "`also` names another one on which it can",
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    on_ray = chosen_system() == "ray"
    for item in items:
        _skip_elsewhere(item)
        if on_ray or "ray_cluster" in getattr(item, "fixturenames", ()):
            # Of a test process's many, one runs all tests that use Ray: starting it costs seconds and memory.
            item.add_marker(pytest.mark.xdist_group("ray"))
            for warning in _RAY_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


def _skip_elsewhere(item: pytest.Item) -> None:
    marker = item.get_closest_marker("only_local")
    if marker is not None and chosen_system() not in ("local", marker.kwargs.get("also")):
        item.add_marker(pytest.mark.skip(reason=f"not on `{chosen_system()}`: {marker.args[0]}"))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A cluster of one node, for the whole session."""
    import ray

    from actors.fatal_signals import traps_kept

    # A cluster that somebody runs on this machine is left alone, and its servers are nobody else's concern.
    with traps_kept():
        ray.init(
            "local",
            num_cpus=4,
            include_dashboard=False,
            object_store_memory=200 << 20,
            log_to_driver=False,
            _node_ip_address="127.0.0.1",
        )
    yield
    ray.shutdown()


@pytest.fixture(autouse=True)
def clusters_end(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test's clusters end with it."""
    if chosen_system() != "ray":
        yield
        return
    request.getfixturevalue("ray_cluster")
    yield
    asyncio.run(stop_clusters())
