import random
import time
from itertools import pairwise

import pytest

from chidori_actors.languages.lexer import Token, tokenize
from chidori_actors.languages.positions import Positions
from chidori_actors.languages.typescript import transform

TYPED = """\
#!/usr/bin/env chidori
import type { Chidori, Message } from "chidori";
import { load, type Options } from './lib/load';
import config from "./config.json" with { type: "json" };

interface Input<T = string> {
  document: string; // text
  items?: Array<Map<string, T[]>>;
  run(input: T, chidori: Chidori): Promise<void>;
}

type Handler<in T, out R> = (input: T) => R extends string ? Promise<R> : never;

function pick<T, K extends keyof T>(value: T, ...keys: K[]): Pick<T, K> {
  const out = {} as Pick<T, K>;
  for (const key of keys) { out[key] = value[key]; }
  return out;
}

function over(a: string): string;
function over(a: number): number;
function over(a: any): any { return a; }

export async function agent(input: Input<number>, chidori: Chidori): Promise<{ summary: string; n: number }> {
  const { document, items = [] } = input as unknown as Input<number> & { document: string };
  const re = /[/"'`]+(?<x>a|b)/gu, half = document.length / 2 / 1;
  const messages: Message[] = [
    { role: "user", content: `Hi ${document.split(' ').map((w: string) => `<${w!.length}>`).join("")} end` },
  ] satisfies Message[];
  let total: number = 1_000;
  for (const [key, value] of Object.entries(config as Record<string, number>)) total += value!;
  const results: string[] = await Promise.all<string>([chidori.prompt(document, { type: 'a' })]);
  const opts = <Options>{ a: 1, 'b': 2, "it's": 'say "hi"' };
  try {
    if (re.test(results[0]!)) throw new Error(results?.[1]?.trim() ?? "none");
  } catch (error: unknown) {
    await chidori.log((error as Error).message, { half, opts });
  }
  const fn = async <T,>(x: T, y?: (t: T) => T): Promise<T> => { return y ? y(x) : x };
  label: while (total-- > 0) { if (total % 2) continue label; else break }
  return { summary: await fn<string>(load(pick(opts, "a")) as string), n: over(total) };
}
"""
CLASSES = """\
import type { Chidori } from "chidori";

abstract class Store<K extends string, V> {
  static #count = 0;
  private cache: Map<K, V> = new Map<K, V>();
  get(key: K): V | undefined { return this.cache.get(key) as V; }
  abstract save(value: V): Promise<void>;
  set value(next: V) { Store.#count++; this.cache.set("x" as K, next); }
}

class Disk extends Store<string, number> implements Iterable<number> {
  declare kind: string;
  readonly limits?: { max: number; min: number };
  async save(value: number): Promise<void> { /* nothing */ }
  *[Symbol.iterator](): Iterator<number> { yield* [1, 2, 3]; }
  protected override get(key: string): number { return super.get(key) ?? 0; }
}

export const agent = async ({ topic, depth = 2 }: { topic: string; depth?: number }, chidori: Chidori) => {
  const disk: Disk = new Disk();
  await chidori.retry(async (): Promise<void> => {
    const value: number = disk.get(topic)!;
    if (value > depth) throw new TypeError(`too deep: ${value as number}`);
  }, { attempts: 3, delayMs: 10 });
  const found = [...disk].filter((n): n is number => n !== undefined);
  return found.reduce<number>((a, b) => a + b, 0);
};
"""
FLAT = """\
export async function agent(input, chidori) {
  // nothing typed
  let a = input.a, b = await chidori.http('https://x/?q=' + a)
  if (!a) return null
  do { a-- } while (a > 0)
  switch (b.status) { case 200: return b.body; default: throw new Error(String(b.status)) }
}
"""
SOURCES = {"typed": TYPED, "classes": CLASSES, "flat": FLAT}


def misplaced(source: str, code: str) -> list[tuple[Token, tuple[int, int]]]:
    positions = Positions(source, code)
    written = {(token.line, token.column): token.text for token in tokenize(source)}
    places = [(token, positions.original(token.line, token.column)) for token in tokenize(code)]
    return [(t, place) for t, place in places if t.kind == "identifier" and written.get(place) != t.text]


@pytest.mark.parametrize("name", SOURCES)
def test_every_identifier_maps_to_itself(name: str) -> None:
    assert misplaced(SOURCES[name], transform("a.ts", SOURCES[name])) == []


def marked(source: str) -> str:
    """Each identifier that is called or read after a dot gets a name of its own, so that a place is
    unmistakable.
    """
    result, end = [], 0
    tokens = list(tokenize(source))
    for number, (before, token) in enumerate(pairwise(tokens)):
        if before.text == "." and token.kind == "identifier":
            result.append(source[end : token.end] + f"_{number}")
            end = token.end
    return "".join(result) + source[end:]


@pytest.mark.parametrize("name", SOURCES)
def test_members_map_to_their_own_place(name: str) -> None:
    source = marked(SOURCES[name])
    code = transform("a.ts", source)
    positions = Positions(source, code)
    written = {token.text: (token.line, token.column) for token in tokenize(source)}
    checked = 0
    for token in tokenize(code):
        if token.kind == "identifier" and "_" in token.text:
            assert positions.original(token.line, token.column) == written[token.text]
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("seed", range(12))
def test_blanks_and_comments_change_nothing(name: str, seed: int) -> None:
    chance = random.Random(seed)
    parts, end = [], 0
    source = SOURCES[name]
    for token in tokenize(source):
        parts.append(source[end : token.start])
        # Not inside a line's grammar: only a comment, which never ends a line.
        parts.append(chance.choice(["", "", "", " ", "/* foo(bar) */", "\t"]) if token.start else "")
        parts.append(token.text)
        end = token.end
    text = "".join(parts) + source[end:]
    lines = [line + chance.choice(["", "", "\n", "\n// key: value\n", "  "]) for line in text.split("\n")]
    spread = "\n".join(lines)
    assert misplaced(spread, transform("a.ts", spread)) == []


def test_code_made_by_the_transform_maps_to_what_stands_before_it() -> None:
    source = "enum Kind { Draft = 'draft', Final = 2 }\n\nexport function agent() { return boom(Kind.Final); }\n"
    code = transform("a.ts", source)
    token = next(t for t in tokenize(code) if t.text == "boom")
    assert Positions(source, code).original(token.line, token.column) == (3, 34)


def test_parameter_properties_do_not_disturb_what_follows() -> None:
    source = (
        "class P {\n  constructor(private readonly name: string, public size: number = 1_000) {\n"
        "    setup(name, this.size);\n  }\n}\n"
    )
    code = transform("a.ts", source)
    token = next(t for t in tokenize(code) if t.text == "setup")
    assert Positions(source, code).original(token.line, token.column) == (3, 5)


def test_a_place_between_tokens_belongs_to_the_token_before() -> None:
    source, code = "foo   (a: number)", "foo(a)"
    assert Positions(source, code).original(1, 2) == (1, 2)
    assert Positions(source, code).original(1, 4) == (1, 7)
    assert Positions(source, code).original(9, 9) == (1, 17)


def test_unchanged_code_keeps_every_place() -> None:
    assert Positions("a\nb", "a\nb").original(2, 1) == (2, 1)


@pytest.mark.parametrize("repeats", [1, 50])
def test_long_files_are_mapped(repeats: int) -> None:
    distinct = [CLASSES.replace("Disk", f"Disk{n}").replace("Store", f"Store{n}") for n in range(75)]
    source = "".join(distinct) if repeats == 1 else TYPED.split("\n", 1)[1] * repeats
    assert source.count("\n") > 1_900
    code = transform("a.ts", source)
    begin = time.perf_counter()
    wrong = misplaced(source, code)
    assert wrong == []
    assert time.perf_counter() - begin < 10
