"""Server-sent events from the bytes of a stream."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Frame:
    """One event as it was sent; ``id`` is None when it had none."""

    event: str
    data: str
    id: str | None


@dataclass(slots=True)
class FrameParser:
    """Takes a stream in pieces of any size. ``comments`` counts the comment lines so far."""

    comments: int = 0
    _unfinished: list[bytes] = field(default_factory=list)
    _event: str = "message"
    _data: list[str] = field(default_factory=list)
    _id: str | None = None

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that ``chunk`` completes."""
        if b"\n" not in chunk:
            # Joining only at the end of a line keeps a line of many megabytes linear.
            self._unfinished.append(chunk)
            return []
        *lines, rest = b"".join((*self._unfinished, chunk)).split(b"\n")
        self._unfinished = [rest]
        frames = (self._line(line.removesuffix(b"\r").decode("utf-8", "replace")) for line in lines)
        return [frame for frame in frames if frame]

    def _line(self, line: str) -> Frame | None:
        if not line:
            return self._end()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "":
                self.comments += 1
            case "event":
                self._event = value
            case "data":
                self._data.append(value)
            case "id":
                self._id = value
        return None

    def _end(self) -> Frame | None:
        frame = Frame(self._event, "\n".join(self._data), self._id) if self._data else None
        self._event, self._data, self._id = "message", [], None
        return frame
