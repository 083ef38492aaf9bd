"""Every form of ``--input``."""

from pathlib import Path

import orjson
import pytest

from chidori_actors.cli.inputs import parse_inputs
from chidori_actors.errors import UsageError


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "text.md").write_bytes("# Überschrift\r\nzwei\n".encode())
    (tmp_path / "marked.txt").write_bytes(b"\xef\xbb\xbfafter the mark")
    (tmp_path / "binary").write_bytes(b"ok\xff")
    (tmp_path / "object.json").write_text('{"a": 1, "b": [null]}')
    (tmp_path / "marked.json").write_bytes(b'\xef\xbb\xbf{"a": 2}')
    (tmp_path / "array.json").write_text("[1]")
    (tmp_path / "broken.json").write_text('{\n  "a": ,\n}')
    return tmp_path


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], {}),
        (["name=Ada"], {"name": "Ada"}),
        (["count=3"], {"count": "3"}),
        (["empty="], {"empty": ""}),
        (["formula=a=b"], {"formula": "a=b"}),
        (["document=@text.md"], {"document": "# Überschrift\r\nzwei\n"}),
        (["document=@marked.txt"], {"document": "after the mark"}),
        (["@object.json"], {"a": 1, "b": [None]}),
        (["@marked.json"], {"a": 2}),
        (['{"a": {"b": 1.5}}'], {"a": {"b": 1.5}}),
        (['  {"a": "x=y"}'], {"a": "x=y"}),
        (['{"handle": "@ada"}'], {"handle": "@ada"}),
        (["a=1", '{"a": 2, "b": 3}', "b=4"], {"a": 2, "b": "4"}),
        (["@object.json", "a=later"], {"a": "later", "b": [None]}),
    ],
)
def test_inputs_are_merged_into_one_object(given: list[str], expected: object) -> None:
    assert orjson.loads(parse_inputs(given)) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("just words", "has no `=`"),
        ("=value", "no key"),
        ("[1, 2]", "must be a JSON object, not an array"),
        ("12", "must be a JSON object, not a number"),
        ("true", "must be a JSON object, not a boolean"),
        ("null", "must be a JSON object, not null"),
        ('"text"', "must be a JSON object, not a string"),
        ('{"a": 1,}', "not JSON at line 1, column 8"),
        ("@array.json", "array.json: an agent's input must be a JSON object, not an array"),
        ("@broken.json", "broken.json: not JSON at line 2, column 8"),
        ("@missing.json", "missing.json cannot be read: No such file"),
        ("a=@missing.md", "missing.md cannot be read: No such file"),
        ("a=@.", ". cannot be read: Is a directory"),
        ("a=@", "a file without a name cannot be read"),
        ("a=@binary", "binary is not UTF-8 text (byte 2)"),
        ("a=\udcff", "not valid UTF-8"),
        ("\udcff=a", "not valid UTF-8"),
    ],
)
def test_a_bad_input_is_refused_with_its_fault(given: str, message: str) -> None:
    with pytest.raises(UsageError) as refused:
        parse_inputs([given])
    assert message in str(refused.value)
