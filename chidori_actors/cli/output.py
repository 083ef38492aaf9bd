"""Writing to stdout and stderr, of which the reader may go away while a run goes on."""

import os
import sys

import click


def write(text: str | bytes, *, err: bool = False, end: bool = True) -> None:
    """Write a line (without ``end``: a part of one) and flush it. Once nobody reads it, it goes nowhere: the
    run is persisted like any other and does not depend on who watches."""
    try:
        click.echo(text, err=err, nl=end)
    except BrokenPipeError:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, (sys.stderr if err else sys.stdout).fileno())
        os.close(nowhere)
