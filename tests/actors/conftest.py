"""One Ray for the tests of this folder, and what its own code warns of, which is not ours to mend."""

import secrets
from collections.abc import Iterator

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of a test process's many, one runs all tests that use Ray: starting it costs seconds and memory."""
    for item in items:
        if "ray_cluster" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("ray"))
            # Ray's sockets and log files are closed by the collector; its modules use what is deprecated.
            for kind in ("ResourceWarning", "DeprecationWarning", "FutureWarning"):
                item.add_marker(pytest.mark.filterwarnings(f"ignore::{kind}"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[None]:
    """A cluster of one node, for the whole session."""
    import ray

    # A cluster that somebody runs on this machine is left alone.
    ray.init("local", num_cpus=4, include_dashboard=False, object_store_memory=200 << 20, log_to_driver=False)
    yield
    ray.shutdown()


@pytest.fixture
def namespace(ray_cluster: None) -> str:
    """A namespace of Ray's that no other test uses."""
    return f"test-{secrets.token_hex(4)}"
