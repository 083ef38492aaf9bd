"""Ray's own check of a cluster file, in a process of its own: importing Ray leaves warnings and threads behind."""

import json
import subprocess
import sys
from typing import Any

import jsonschema

_CHECK = """
import json, sys
import jsonschema
from ray.autoscaler._private.util import prepare_config, validate_config

try:
    validate_config(prepare_config(json.load(sys.stdin)))
except jsonschema.ValidationError as error:
    sys.exit(error.message)
"""


def check_cluster_config(config: dict[str, Any]) -> None:
    """Raises ``jsonschema.ValidationError`` with Ray's message when `ray up` would refuse this cluster file."""
    checked = subprocess.run(
        [sys.executable, "-c", _CHECK],
        input=json.dumps(config),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "Traceback" in checked.stderr:
        raise AssertionError(checked.stderr)
    if checked.returncode != 0:
        raise jsonschema.ValidationError(checked.stderr)
