import secrets

import pytest


@pytest.fixture
def namespace(ray_cluster: None) -> str:
    """A namespace of Ray's that no other test uses."""
    return f"test-{secrets.token_hex(4)}"
