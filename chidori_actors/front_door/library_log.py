"""What aiohttp itself has to say, as lines of the server's log: requests that are not HTTP, and its own faults."""

import logging

from aiohttp.http_exceptions import HttpProcessingError

from .log_lines import LogFormat, LogLines


def library_log(log_format: LogFormat) -> logging.Logger:
    """A logger of its own for ``AppRunner``; what a client got wrong takes one line and no traceback."""
    logger = logging.Logger("aiohttp.server", logging.WARNING)
    logger.addHandler(_Lines(LogLines(log_format)))
    return logger


class _Lines(logging.Handler):
    def __init__(self, lines: LogLines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        error = record.exc_info[1] if record.exc_info else None
        if isinstance(error, HttpProcessingError):
            self._lines.write("bad request", status=error.code, reason=error.message, said=record.getMessage())
        else:
            self._lines.write("server", error, said=record.getMessage())
