"""What litellm warns about when it is asked in a test's own process."""

import pytest

LITELLM_WARNINGS = pytest.mark.filterwarnings("ignore::DeprecationWarning")
"""A mark for tests in which that is no error."""
