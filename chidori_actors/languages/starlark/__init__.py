"""Starlark to JavaScript: ``compile_module`` makes an ES module of a ``.star`` file."""
