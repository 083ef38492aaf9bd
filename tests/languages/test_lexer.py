import pytest
from hypothesis import given
from hypothesis import strategies as st

from chidori_actors.languages.lexer import tokenize


def texts(source: str, kind: str | None = None) -> list[str]:
    return [token.text for token in tokenize(source) if kind is None or token.kind == kind]


@pytest.mark.parametrize(
    ("source", "regexes"),
    [
        ("a / b / c", []),
        ("x = /a/g", ["/a/g"]),
        ("f(/[/)]/.test(x))", ["/[/)]/"]),
        ("if (a) /re/.test(b)", ["/re/"]),
        ("(a + b) / c / d", []),
        ("a[0] / b / c", []),
        ("x! / y / z", []),
        ("a++ / b / c", []),
        ("return /a/", ["/a/"]),
        ("x.return / a / b", []),
        ("function f() {} /re/.exec(s)", ["/re/"]),
        ("x = {} / 2 / 3", []),
        ("`a` / 2 / 3", []),
        ("`${/a}`/.test(x)}` / 2", ["/a}`/"]),
        ("x => /a/", ["/a/"]),
        ("!/a/.test(b)", ["/a/"]),
        ("case /a/: b", ["/a/"]),
        ("obj.if(a) / b / c", []),
    ],
)
def test_slash_divides_or_opens_a_regular_expression(source: str, regexes: list[str]) -> None:
    assert texts(source, "regex") == regexes


def test_templates_are_split_at_their_substitutions() -> None:
    assert texts("`a${ {b: `c${d}e`} }f`") == ["`a${", "{", "b", ":", "`c${", "d", "}e`", "}", "}f`"]


def test_names_numbers_and_punctuators() -> None:
    source = "#priv é$_1 \\u0061b 1_000n 0xFF .5e-3 a?.b a?.5:1 x??=y>>>=z // c\n/* d */...e"
    assert texts(source) == [
        *("#priv", "é$_1", "\\u0061b", "1_000n", "0xFF", ".5e-3", "a", "?.", "b", "a", "?", ".5", ":", "1"),
        *("x", "??=", "y", ">>>=", "z", "...", "e"),
    ]


def test_lines_and_columns_count_code_points() -> None:
    places = [(t.text, t.line, t.column) for t in tokenize('\t"😀" a\r\nb\u2028c\n\n`x\ny` d')]
    assert places == [('"😀"', 1, 2), ("a", 1, 6), ("b", 2, 1), ("c", 3, 1), ("`x\ny`", 5, 1), ("d", 6, 4)]


@pytest.mark.parametrize("source", ['"abc', "`abc", "/* abc", "x = /abc", "a \\ b", "\x00", "#", "}}}", "\ud800"])
def test_broken_text_does_not_raise(source: str) -> None:
    assert list(tokenize(source))


@given(st.text(alphabet="abc/`${}()[]'\"\\\n\r #!?.*1é=", max_size=40))
def test_tokens_are_the_text_in_order(source: str) -> None:
    end = 0
    for token in tokenize(source):
        assert token.start >= end
        assert source[token.start : token.end] == token.text
        end = token.end
