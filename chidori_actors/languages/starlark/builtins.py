"""The names that every module finds; prelude/starlark_builtins.js and starlark_host.js define them."""

BUILTINS = (
    *("abs", "all", "any", "bool", "chr", "dict", "dir", "enumerate", "fail", "float", "getattr", "hasattr", "hash"),
    *(
        "int",
        "len",
        "list",
        "max",
        "min",
        "ord",
        "print",
        "range",
        "repr",
        "reversed",
        "sorted",
        "str",
        "tuple",
        "type",
    ),
    "zip",
)
HOST = (
    *("call_agent", "checkpoint", "config", "env", "exec_js", "exec_python", "http", "input", "log", "memory"),
    *("parallel", "prompt", "retry", "template", "tool", "try_call"),
)
"""Functions whose calls may have to be waited for."""
