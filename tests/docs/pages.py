"""The pages of docs/ as tests read them."""

import re

from tests.support.examples import ROOT

_BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!http)([^)#]+)")


def read_page(name: str) -> str:
    """The text of docs/``name``."""
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """The blocks of code in that language, in their order."""
    return [text for found, text in _BLOCK.findall(page) if found == language]


def links(page: str) -> list[str]:
    """The files that the page links to, relative to docs/."""
    return _LINK.findall(page)


def section(page: str, title: str) -> str:
    """What stands below the heading ``## title``."""
    _, _, rest = page.partition(f"\n## {title}\n")
    return rest.partition("\n## ")[0]
