"""Lines of the server's log: of requests and of runs, for people or as one JSON object each."""

import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Literal, TextIO

import orjson

from ..journal.json_text import rfc3339

LogFormat = Literal["text", "json"]
