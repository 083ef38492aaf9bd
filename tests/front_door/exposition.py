"""A strict reader of Prometheus' text format, version 0.0.4: what is not exactly as the format says is an error."""

import re
from dataclasses import dataclass, field

_HELP = re.compile(r"# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)")
_TYPE = re.compile(r"# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)")
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(
    rf"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{{({_LABEL}(?:,{_LABEL})*)\}})? (-?[0-9.]+(?:e[+-]?[0-9]+)?|\+Inf)"
)
_ONE_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
_SUFFIXES = ("_bucket", "_sum", "_count")
_ESCAPES = {'\\"': '"', "\\\\": "\\", "\\n": "\n"}

Labels = tuple[tuple[str, str], ...]


@dataclass
class Family:
    """One metric: its samples by name and labels, these in their order."""

    kind: str
    text: str
    samples: dict[tuple[str, Labels], float] = field(default_factory=dict)


def read_exposition(text: str) -> dict[str, Family]:
    """The metrics of ``text``, by name. Fails on anything that the format does not allow, histograms included."""
    assert text.endswith("\n")
    families: dict[str, Family] = {}
    lines = iter(text[:-1].split("\n"))
    current = ""
    for line in lines:
        if line.startswith("#"):
            said = _HELP.fullmatch(line)
            assert said, line
            current = said[1]
            assert current not in families, f"{current} comes twice"
            kind = _TYPE.fullmatch(next(lines))
            assert kind, line
            assert kind[1] == current, line
            families[current] = Family(kind[2], said[2])
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample, line
        family = families[current]
        names = {current} if family.kind != "histogram" else {current + suffix for suffix in _SUFFIXES}
        assert sample[1] in names, line
        labels = tuple((name, _unescaped(value)) for name, value in _ONE_LABEL.findall(sample[2] or ""))
        assert len({name for name, _ in labels}) == len(labels), line
        assert (sample[1], labels) not in family.samples, f"{line} comes twice"
        family.samples[sample[1], labels] = float(sample[3])
    for name, family in families.items():
        assert family.kind != "counter" or name.endswith("_total")
        if family.kind == "histogram":
            _check_histogram(name, family)
    return families


def _check_histogram(name: str, family: Family) -> None:
    of_all: dict[Labels, list[tuple[float, float]]] = {}
    for (sample, labels), value in family.samples.items():
        if sample == f"{name}_bucket":
            assert labels[-1][0] == "le"
            of_all.setdefault(labels[:-1], []).append((float(labels[-1][1]), value))
    for labels, buckets in of_all.items():
        assert [bound for bound, _ in buckets] == sorted({bound for bound, _ in buckets})
        assert [count for _, count in buckets] == sorted(count for _, count in buckets)
        assert buckets[-1][0] == float("inf")
        assert family.samples[f"{name}_count", labels] == buckets[-1][1]
        assert (f"{name}_sum", labels) in family.samples


def _unescaped(text: str) -> str:
    return re.sub(r"\\.", lambda found: _ESCAPES[found[0]], text)
