"""What litellm warns about when it is asked in a test's own process."""

import pytest

LITELLM_WARNINGS = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    # It completes its pydantic models at the first call, which warns about one of its own types.
    pytest.mark.filterwarnings("ignore:Item .* on TypedDict class:UserWarning"),
]
"""Marks for tests in which that is no error."""
