"""Figures and tables as plain text."""

from collections.abc import Iterable, Sequence

_KB = 1024
_MINUTE_MS = 60_000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS


def counted(count: int, noun: str) -> str:
    """``1 call``, ``2 calls``."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def bytes_text(count: int) -> str:
    """``512 bytes``, ``1.4 KB``, ``3.0 MB``."""
    if count < _KB:
        return counted(count, "byte")
    units = ["KB", "MB", "GB", "TB"]
    size = count / _KB
    while size >= _KB and len(units) > 1:
        size /= _KB
        del units[0]
    return f"{size:.1f} {units[0]}"


def duration_text(milliseconds: float) -> str:
    """``0.012s``, ``3.456s``, ``2m05s``, ``3h02m``, ``4d07h``."""
    whole = max(0, round(milliseconds))
    if whole < _MINUTE_MS:
        return f"{whole / 1000:.3f}s"
    if whole < _HOUR_MS:
        return f"{whole // _MINUTE_MS}m{whole % _MINUTE_MS // 1000:02d}s"
    if whole < _DAY_MS:
        return f"{whole // _HOUR_MS}h{whole % _HOUR_MS // _MINUTE_MS:02d}m"
    return f"{whole // _DAY_MS}d{whole % _DAY_MS // _HOUR_MS:02d}h"


def elapsed_text(milliseconds: float) -> str:
    """``12.3s``, ``2m05s``: as exact as it can be read while it moves."""
    shown = max(0.0, milliseconds)
    return f"{shown / 1000:.1f}s" if shown < _MINUTE_MS else duration_text(shown)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """The rows below the header, their columns aligned."""
    lines = [tuple(header), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
