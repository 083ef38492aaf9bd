"""What the console's files must not do: a content security policy forbids it, and nothing of it would work."""

import re
from html.parser import HTMLParser

import pytest

from tests.support.examples import ROOT

STATIC = ROOT / "chidori_actors" / "console" / "static"
# Ways by which text becomes markup or program.
SINKS = re.compile(
    r"\b(innerHTML|outerHTML|insertAdjacentHTML|setHTML(Unsafe)?|parseFromString|createContextualFragment|srcdoc)\b\s*[=(]"
    r"|\bdocument\.write|\beval\(|\bnew Function\(|\bset(Timeout|Interval)\(\s*[\"'`]|\bstyle="
)
ELSEWHERE = re.compile(r"https?://(?!www\.w3\.org/)")


@pytest.mark.parametrize("module", sorted(str(path.relative_to(STATIC)) for path in STATIC.rglob("*.js")))
def test_a_module_makes_no_markup_of_text_and_asks_no_other_host(module: str) -> None:
    source = (STATIC / module).read_text(encoding="utf-8")

    assert SINKS.search(source) is None
    assert ELSEWHERE.search(source) is None


def test_the_page_has_nothing_inline_and_everything_it_names_is_there() -> None:
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    named = _Addresses()
    named.feed(page)

    assert named.inline == []
    assert len(named.addresses) > 3
    assert [address for address in named.addresses if not (STATIC / address.removeprefix("/console/")).is_file()] == []


class _Addresses(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.addresses: list[str] = []
        self.inline: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.addresses += [value for name in ("href", "src") if (value := given.get(name)) is not None]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.inline.append(tag)
        self.inline += [name for name in given if name == "style" or name.startswith("on")]
