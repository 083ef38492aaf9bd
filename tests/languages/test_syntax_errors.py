import pytest

from chidori_actors.errors import SourceError
from chidori_actors.languages.typescript import transform

# The place of the fault is marked with ¦; the second item is part of the message.
FAULTS = [
    ("let x = (1 + 2¦;", "`)`"),
    ("let x = [1, 2¦;", "`]`"),
    ("f(a b)".replace("b", "¦b"), "`)`"),
    ("if (x ¦{ y }", "`)`"),
    ("let x = ¦;", "`;`"),
    ("let x = 1 + ¦* 2;", "`*`"),
    ("let x = a ¦b;", "semicolon"),
    ('let s = ¦"abc', "Unterminated string"),
    ('let s = ¦"abc\nlet y = "z";', "Unterminated string"),
    ("let s = 'ok';\nlet t = ¦'abc\nlet y = 2;", "Unterminated string"),
    ("let s = ¦`abc", "Unterminated"),
    ("let s = `abc ¦${x", "never closed"),
    ("¦/* abc\nlet x = 1;", "Unterminated multiline comment"),
    ("let r = ¦/abc\nlet x = 1;", "Unterminated regular expression"),
    ("let ¦class = 1;", "reserved"),
    ("function f() { ¦await g(); }", "await"),
    ("let x: ¦= 3;", "`=`"),
    ("let x ¦3;", "semicolon"),
    ("let a = 1;\n¦}\n", "`}`"),
    ("let a = 1;\n¦)\n", "`)`"),
    ("interface A { x: ¦}", "`}`"),
    ("type T = ¦;", "`;`"),
    ("enum A { x ¦y }", "`,`"),
    ('import { a ¦from "b";', "`}`"),
    ("x = { a: 1,¦, b: 2 }", "`,`"),
    ("const y¦;", "initializer"),
    ("function ¦() {}", "function name"),
    ("¦1 = 2", "Cannot assign"),
    ("for (const x ¦{ }", ""),
    ("let x = ¦08n;", "number"),
    ('let x = ¦"\\u{zz}";', "escape"),
    ("x => { return 1 }; y => ¦{", "never closed"),
    ("function f() ¦{ let x = 1;", "never closed"),
    ("f¦(1, 2", "never closed"),
    ("class A { get ¦", ""),
    ("let ¦[a", "never closed"),
    ("switch (x) { case 1 ¦break; }", "`:`"),
    ("let a = {\n  b: 1\n  ¦c: 2\n};", "`,`"),
]
BEFORE = 'import x from "y";\r\n// é 😀 )]}\r\n\tfoo(x, 1 / 2, /[/)]/); let é = "😀";\r\n'
AFTER = "\r\nconst z = { a: `x${1}` };\r\n"


def fault_of(source: str) -> SourceError:
    with pytest.raises(SourceError) as caught:
        transform("agent.ts", source)
    return caught.value


@pytest.mark.parametrize(("marked", "words"), FAULTS)
@pytest.mark.parametrize("before", ["", BEFORE, '\tlet ü = "😀"; '], ids=["start", "later", "same-line"])
def test_syntax_error_names_line_and_source(marked: str, words: str, before: str) -> None:
    source = before + marked.replace("¦", "")
    offset = len(before) + marked.index("¦")
    lines = source[:offset].splitlines() or [""]
    if source[:offset].endswith("\n"):
        lines.append("")
    error = fault_of(source)
    assert (error.path, error.line) == ("agent.ts", len(lines))
    assert words in error.reason
    assert source.splitlines()[len(lines) - 1].strip() in str(error)


EXACT = [case for case in FAULTS if case[0][-1] != "¦" and not case[0].startswith("¦1 = 2")]


@pytest.mark.parametrize(("marked", "words"), [c for c in EXACT if "const y" not in c[0] and "await" not in c[0]])
def test_syntax_error_names_the_column(marked: str, words: str) -> None:
    source = BEFORE + "\t" + marked.replace("¦", "")
    offset = len(BEFORE) + 1 + marked.index("¦")
    error = fault_of(source)
    assert error.column == offset - max(source.rfind("\n", 0, offset), -1), error


@pytest.mark.parametrize(
    "marked",
    [m for m, _ in FAULTS if "never" not in _ and "Unterminated" not in _ and "get ¦" not in m],
)
def test_syntax_error_in_the_middle_names_the_line(marked: str) -> None:
    source = BEFORE + marked.replace("¦", "") + AFTER
    line = (BEFORE + marked[: marked.index("¦")]).count("\n") + 1
    assert fault_of(source).line == line


def test_missing_parenthesis_before_an_export_hints_at_the_one_left_open() -> None:
    error = fault_of("let a = 1;\nfoo(a,\n  2\n\nexport const b = 1;\n")
    assert error.line == 5
    assert error.hint is not None
    assert "line 2, column 4" in error.hint


def test_missing_brace_before_an_export_is_found_by_indentation() -> None:
    assert fault_of("function f() {\n  if (x) {\n    g();\n}\n\nexport const a = 1;\n").line == 2


def test_missing_brace_is_found_by_indentation_at_the_end_of_the_file() -> None:
    assert fault_of("function f() {\n  if (x) {\n    g();\n}\nh();\n").line == 2


def test_missing_semicolon_on_the_line_before_does_not_move_the_place() -> None:
    assert fault_of("let a = 1\nreturn a\nlet b = 2\n").line == 2


def test_a_fault_in_a_long_file_is_found() -> None:
    source = "".join(f"export function f{i}(a: number): number {{ return a / {i}; }}\n" for i in range(2000))
    lines = source.splitlines()
    lines[1234] = "let x = = 1;"
    error = fault_of("\n".join(lines))
    assert (error.line, error.column) == (1235, 9)


def test_deep_nesting_is_refused_and_the_next_file_still_works() -> None:
    error = fault_of("let a = " + "(" * 5000 + "1" + ")" * 5000)
    assert "gave up" in error.reason
    assert transform("b.ts", "let a: number = 1;") == "let a = 1;\n"


def test_json_becomes_a_module() -> None:
    assert transform("a.json", '{"a": [1, "x"]}\n') == 'export default {"a": [1, "x"]};\n'


def test_json_key_proto_does_not_set_a_prototype() -> None:
    assert "JSON.parse" in transform("a.json", r'{"\u005f_proto__": 1}')


def test_bad_json_names_the_place() -> None:
    with pytest.raises(SourceError) as caught:
        transform("a.json", '{\n  "a": 1,\n}\n')
    assert (caught.value.line, caught.value.column) == (2, 9)
    assert "not JSON" in caught.value.reason


def test_javascript_passes_unchanged() -> None:
    assert transform("a.js", "let  x=1") == "let  x=1"
