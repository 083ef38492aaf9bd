"""The one list of the host functions."""

from collections.abc import Mapping
from functools import cache

from . import (
    call_agent,
    checkpoint,
    env,
    exec_js,
    exec_python,
    exec_wasm,
    http,
    log,
    memory,
    parallel,
    prompt,
    template,
    timer,
    tool,
)
from . import input as input_function
from .function import HostFunction


@cache
def host_functions() -> Mapping[str, HostFunction]:
    """Every host function by the name that records use."""
    modules = (
        call_agent,
        checkpoint,
        env,
        exec_js,
        exec_python,
        exec_wasm,
        http,
        input_function,
        log,
        memory,
        parallel,
        prompt,
        template,
        timer,
        tool,
    )
    return {module.FUNCTION.name: module.FUNCTION for module in modules}
