"""Texts cut to what fits on a line."""

CLIP = 60


def clip(text: str, length: int = CLIP) -> str:
    """``text`` on one line of at most ``length`` characters; ``…`` says that it was cut."""
    # Of a document only the beginning is looked at: splitting all of it would cost more than the rest of the line.
    joined = " ".join(text[: 8 * length].split())
    return joined if len(joined) <= length and len(text) <= 8 * length else joined[: length - 1] + "…"
