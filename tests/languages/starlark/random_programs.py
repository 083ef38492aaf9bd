"""Random Starlark programs for hypothesis: most of them run through, the rest fail as real ones do.

Left out is what the reference is known to be wrong about (see ``KNOWN_DIFFERENCES`` in test_reference.py): shifts to
the left beyond 31 bits, ints compared with floats beyond 2^53, and repetitions that it cannot allocate.
"""

import re

from hypothesis import strategies as st

Text = st.SearchStrategy[str]
KINDS = ("int", "float", "str", "bool", "list", "tuple", "dict")
_VARIABLES = {"int": "n", "float": "q", "str": "s", "bool": "b", "list": "l", "tuple": "t", "dict": "d"}


def _pieces(text: str) -> tuple[str, ...]:
    """Three blanks or a new line are between two pieces."""
    return tuple(re.split(r"\s{3,}|\n", text.strip()))


def _split(table: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {kind: _pieces(text) for kind, text in table.items()}


_LITERALS = _split(
    {
        "int": """
    0   1   2   3   -1   -7   10   255   9007199254740993   -9007199254740992   123456789012345678901
    """,
        "float": """
    0.0   1.0   -1.5   2.5   1e10   1e-7   123456.789   1e300   -0.0
    """,
        "str": """
    ""   "a"   "abc"   " x y  z "   "a,b,,c"   "é"   "a😀b"   "12"   "Hello World"   "l1\\nl2\\r\\nl3"   "ß"   "İ"
    """,
        "bool": """
    True   False
    """,
        "list": """
    []   [1, 2, 3]   ["b", "a"]   [1.5, None]   [[1], [2, 3]]   [("a", 1), ("b", 2)]
    """,
        "tuple": """
    ()   (1,)   (1, "a")   (3, 1, 2)
    """,
        "dict": """
    {}   {"a": 1}   {1: "x", "k": [1]}   {(1, 2): None, True: 2.5}
    """,
    }
)
# Templates by the kind of their value; {int} and its like stand for an expression of that kind, {any} for any.
_SHAPES = _split(
    {
        "int": """
    ({int} + {int})   ({int} - {int})   ({int} * {int})   ({int} // {int})   ({int} % {int})   -{int}   ~{int}
    ({int} & {int})   ({int} | {int})   ({int} ^ {int})   ({int} >> 3)   (5 << 3)   len({list})   len({str})
    abs({int})   int({float})   int({str})   ord({str}[0])   {str}.find({str})   {str}.count({str})
    {list}.index({any})   max({list} + [1])   min([{int}, {int}])   {str}.rfind({str}, {int})   hash({str})
    ({int} if {bool} else {int})   {dict}.get({any}, {int})   len(range({int} % 50))   int("ff", 16)
    max({list}, key=len)   (lambda x, y=2: x + y)({int})   (lambda *a, **k: len(a) + len(k))({any}, *{list}, k={any})
    """,
        "float": """
    ({float} + {float})   ({int} % 1000 / ({int} % 9))   ({float} * {int})   ({float} // {float})
    ({float} % {float})   -{float}   float({int} % 1000)   float({str})   abs({float})   ({float} - {int})
    max({float}, {float})
    """,
        "str": """
    ({str} + {str})   ({str} * 3)   str({any})   repr({any})   type({any})   {str}.upper()   {str}.lower()
    {str}.title()   {str}.capitalize()   {str}.strip()   {str}.strip({str})   {str}.lstrip()   {str}.rstrip({str})
    {str}.replace({str}, {str})   {str}.replace({str}, {str}, 2)   {str}.join([str(x) for x in {list}])   {str}[{int}]
    {str}[{int}:]   {str}[:{int}]   {str}[1:-1]   {str}[::-1]   {str}[::2]   ("%s and %r" % ({any}, {any}))
    ("%d|%x|%o" % ({int}, {int}, {int}))   ("%e %f %g" % ({float}, {float}, {float}))   ("%s" % {tuple})
    "{{}} {{!r}}".format({any}, {any})   "{{a}}-{{b!r}}".format(a={any}, b={any})   "{{1}}{{0}}".format({any}, {any})
    {str}.removeprefix({str})   {str}.removesuffix({str})   {str}.partition({str})[2]   chr(ord({str}[0]) + 1)
    {str}.rpartition({str})[0]   ({str} or {str})   ({str} and {str})   {str}.format({any})   ({str} % {any})
    """,
        "bool": """
    ({any} == {any})   ({any} != {any})   ({int} < {int})   ({float} <= {int})   ({str} > {str})   ({list} >= {list})
    ({any} in {list})   ({str} not in {str})   ({any} in {dict})   (not {any})   bool({any})   any({list})
    all({list})   {str}.startswith({str})   {str}.endswith(({str}, {str}))   {str}.isalpha()   {str}.isdigit()
    {str}.isspace()   {str}.isupper()   {str}.islower()   {str}.istitle()   {str}.isalnum()   hasattr({any}, "append")
    ({tuple} < {tuple})   ({bool} and {bool})   ({bool} or {bool})   ({int} == {float})   ({int} in range({int} % 20))
    """,
        "list": """
    ({list} + {list})   ({list} * 2)   [{any}, {any}]   sorted({list})   sorted({list}, reverse={bool})
    list({tuple})   sorted({list}, key=lambda x: str(x))   sorted({list}, key=str, reverse=True)   reversed({list})
    list({dict})   {list}[{int}:]   {list}[::-1]   {list}[:{int}:2]   {dict}.keys()   {dict}.values()   {dict}.items()
    {str}.split()   {str}.split({str})   {str}.split({str}, 1)   {str}.rsplit(None, 1)   {str}.splitlines({bool})
    list({str}.elems())   [x for x in {list} if x]   [(x, y) for x in {list} for y in {tuple}]
    [{any} for n in range(3)]   enumerate({list})   zip({list}, {tuple})   list(range({int} % 20, {int} % 7, -2))
    list({str}.codepoints())   dir({any})   (l, {list})[1]
    """,
        "tuple": """
    ({tuple} + {tuple})   ({tuple} * 2)   ({any},)   ({any}, {any})   tuple({list})   {str}.partition({str})
    {tuple}[1:]   {dict}.popitem()   (lambda *a: a)({any}, {any})   tuple({dict})
    """,
        "dict": """
    ({dict} | {dict})   {{"a": {any}, {int}: {any}}}   {{x: {any} for x in {tuple}}}   dict({dict}, z={any})
    dict(zip({list}, {list}))   dict([({any}, {any})])   {{k: v for k, v in {dict}.items() if v}}
    (lambda **k: k)(a={any}, **{{}})
    """,
    }
)
_ANY = _pieces("""
    {list}[{int}]   {tuple}[0]   {dict}[{any}]   {dict}.get({any})   ({any} or {any})   ({any} and {any})   None
    {list}.pop()   {dict}.pop({any}, {any})   ({any} if {any} else {any})   f({any})   f({any}, b={any})
    getattr({any}, {str}, 1)   min({list})   {any}.nothing   fail({any})   {any}()   {dict}.setdefault({any}, {any})
    range({int} % 9)   len   f(*{list})
""")


@st.composite
def expressions(draw: st.DrawFn, kind: str = "any", depth: int = 3) -> str:
    """An expression that most likely has a value of ``kind``."""
    if kind == "any" or draw(st.integers(0, 39)) == 0:
        kind = draw(st.sampled_from((*KINDS, "any")))
    if depth <= 0 or draw(st.integers(0, 3)) == 0:
        if kind == "any":
            return draw(st.sampled_from(("None", "len", "range(3)", "n", "l")))
        return draw(st.sampled_from((*_LITERALS[kind], _VARIABLES[kind])))
    shape = draw(st.sampled_from(_ANY if kind == "any" else _SHAPES[kind]))
    return draw(_filled(shape, depth - 1))


@st.composite
def _filled(draw: st.DrawFn, shape: str, depth: int) -> str:
    for kind in (*KINDS, "any"):
        while "{" + kind + "}" in shape:
            shape = shape.replace("{" + kind + "}", _bare(draw(expressions(kind, depth))), 1)
    return shape.replace("{{", "{").replace("}}", "}")


def _bare(expression: str) -> str:
    # A number before a dot or a bracket needs its parentheses; braces of dicts are doubled as those of the shapes are.
    text = f"({expression})" if expression[0] in "-~0123456789" or expression[-1].isdigit() else expression
    return text.replace("{", "{{").replace("}", "}}")


_STATEMENTS = _pieces("""
    n = {int}   q = {float}   s = {str}   b = {bool}   l = {list}   t = {tuple}   d = {dict}   n, s = {int}, {str}
    n += {int}   s += {str}   l += {list}   t += {tuple}   d |= {dict}   q *= {float}   n //= {int}   n -= {int}
    l.append({any})   l.extend({list})   l.insert({int} % 9, {any})   l.pop()   l.remove({any})   l.clear()
    d.clear()   d[{any}] = {any}   l[{int}] = {any}   d[{str}] = {any}   d.update({dict})   d.update(k={any})
    d.pop({any})   l[0] += {any}   d["a"] = d.get("a", 0) + 1   (n, [s, b]) = (1, [{str}, {bool}])   l, t = {list}, l
    f({any})   pass   d[n] = l   l[-1] = l
""")
_LOOPS = _pieces("""
    for x in {list}   for n in range({int} % 6)   for k, v in {dict}.items()   for x in {dict}
    for i, x in enumerate(l)   for x in l   for s in {str}.elems()   for x in {any}   for (x, y) in {list}
    for x in d
""")

_CALLS_OF_G = ("g(n)", "g(1, s)", "g(*l)", "g(n=1, b=2)", "g(1, z=3, **d)", "g()")


@st.composite
def blocks(draw: st.DrawFn, depth: int = 2, indent: int = 1, in_loop: bool = False) -> str:
    """Statements that work on the variables of ``program_of_block``."""
    pad = "  " * indent
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        kind = draw(st.integers(0, 15)) if depth else 0
        inner = blocks(depth - 1, indent + 1, in_loop)
        if kind == 1:
            lines.append(f"{pad}if {draw(expressions('bool', 2))}:\n{draw(inner)}")
        elif kind == 2:
            lines.append(f"{pad}if {draw(expressions('any', 1))}:\n{draw(inner)}\n{pad}elif b:\n{draw(inner)}")
            lines.append(f"{pad}else:\n{draw(inner)}")
        elif kind in (3, 4):
            head = draw(_filled(draw(st.sampled_from(_LOOPS)), 1))
            lines.append(f"{pad}{head}:\n{draw(blocks(depth - 1, indent + 1, True))}")
        elif kind == 5:
            lines.append(f"{pad}def g(n, s=s, *t, b=b, **d):\n{pad}  l = [n]\n{pad}  q = 0.5")
            lines.append(f"{draw(blocks(0, indent + 1))}\n{pad}  return (n, s, l)")
            lines.append(f"{pad}l = list({draw(st.sampled_from(_CALLS_OF_G))})")
        elif kind == 6 and in_loop:
            lines.append(pad + draw(st.sampled_from(("break", "continue", "if b: break", "if n > 3: continue"))))
        elif kind == 7:
            lines.append(f"{pad}return {draw(expressions('any', 2))}")
        else:
            lines.append(pad + draw(_filled(draw(st.sampled_from(_STATEMENTS)), 2)))
    return "\n".join(lines)


_START = 'n = 3; q = 2.5; s = "a,b"; b = True; l = [1, "b", 2.5]; t = (1, 2); d = {"a": 1, 2: "b"}'
_F = "def f(a, b=1):\n  return [a, b]\n"


def program_of_expression(expression: str) -> str:
    return f"{_F}def main():\n  {_START}\n  return repr({expression})\nresult = repr(main())\n"


def program_of_block(block: str) -> str:
    return f"{_F}def main():\n  {_START}\n{block}\n  return repr((n, q, s, b, l, t, d))\nresult = repr(main())\n"
