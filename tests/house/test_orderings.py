"""Every access to shared memory names its order, and every order has both of its sides."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
USE = re.compile(r"\b(OBSERVE32|OBSERVE64|OBSERVE32_UNALIGNED|PUBLISH32|PUBLISH64|CLAIM32"
                 r"|CLAIM32_UNALIGNED|CLAIM64|CLAIM_PAIR|TAKE32|PEEK32|PEEK64|LOOK32|BUMP64|COUNT64"
                 r"|FENCE)\((\w+)[,)]")
PUBLISHES = {"PUBLISH32", "PUBLISH64", "CLAIM32", "CLAIM32_UNALIGNED", "CLAIM64", "CLAIM_PAIR",
             "TAKE32", "BUMP64", "COUNT64"}
OBSERVES = {"OBSERVE32", "OBSERVE64", "OBSERVE32_UNALIGNED", "CLAIM32", "CLAIM32_UNALIGNED",
            "CLAIM64", "CLAIM_PAIR", "TAKE32", "PEEK32", "PEEK64", "LOOK32", "BUMP64"}


def uses(sources: dict[str, str]) -> dict[str, set[str]]:
    """The verbs used with each order's name."""
    found: dict[str, set[str]] = {}
    for name, text in sources.items():
        if name != "atomics.h":
            for verb, order in USE.findall(text):
                found.setdefault(order, set()).add(verb)
    return found


def paragraphs(text: str) -> dict[str, str]:
    """The paragraphs of docs/memory_order.md by name."""
    parts = re.split(r"(?m)^### (\w+)\n", text)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def problems(sources: dict[str, str], document: str) -> list[str]:
    """What is missing, in words."""
    explained, found = paragraphs(document), uses(sources)
    bad = [f"{order}: no paragraph" for order in found.keys() - explained.keys()]
    bad += [f"{order}: a paragraph and no use" for order in explained.keys() - found.keys()]
    for order, verbs in found.items():
        java = "Other side: Java" in explained.get(order, "")
        if not verbs & PUBLISHES and not java:
            bad.append(f"{order}: nobody publishes")
        if not verbs & OBSERVES and not java:
            bad.append(f"{order}: nobody observes")
    return sorted(bad)


def read_sources() -> dict[str, str]:
    return {p.name: p.read_text() for p in sorted((ROOT / "csrc").rglob("*.[ch]"))}


def test_each_order_has_two_sides_and_a_paragraph() -> None:
    """As docs/memory_order.md promises."""
    document = (ROOT / "docs" / "memory_order.md").read_text()
    assert problems(read_sources(), document) == []


def test_nobody_else_spells_an_atomic() -> None:
    """__atomic, fences and volatile stand in atomics.h alone , one hint in assembly included."""
    for name, text in read_sources().items():
        if name != "atomics.h":
            code = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
            spelt = r"(?<!tape)__atomic|__sync_(?!point)|\bvolatile\b|stdatomic"
            assert not re.search(spelt, code), name


def test_the_check_can_fail() -> None:
    """A planted one-sided order, an unexplained one and an unused paragraph are found."""
    sources = {"x.c": "PUBLISH64(lonely, p, 1); PEEK64(seen, p);"}
    document = "### lonely\ntext\n### unused\ntext\n"
    assert problems(sources, document) == [
        "lonely: nobody observes", "seen: no paragraph", "seen: nobody publishes",
        "unused: a paragraph and no use"]
