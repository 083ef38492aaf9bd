"""Numbers on the benchmarks' command line."""

import argparse


def positive(text: str) -> int:
    """A whole number from 1 on.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 on")
    return int(text)


def positives(text: str) -> tuple[int, ...]:
    """Whole numbers from 1 on, with commas between.

    Raises:
        ArgumentTypeError: one of them is none.
    """
    return tuple(positive(part.strip()) for part in text.split(","))


def milliseconds(text: str) -> float:
    """A number of milliseconds, an hour at the most.

    Raises:
        ArgumentTypeError: it is none.
    """
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 3_600_000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of milliseconds from 0 to 3,600,000")
    return value
