"""The examples in docs/format.md, taken out of the text so that tests can decode them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from . import wire

FORMAT_MD = Path(__file__).parents[2] / "docs" / "format.md"
_FENCE = re.compile(r"^```(bytes|wire|table) (.*?)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_TOKEN = re.compile(r'\s*(?:"([^"]*)"|([0-9A-F]{2})(?=\s|$))')


@dataclass(frozen=True)
class Example:
    """A fenced block: ``kind`` is bytes, wire or table; ``line`` is where it stands."""

    kind: str
    attributes: str
    text: str
    line: int

    def rows(self) -> list[str]:
        """The lines without comments."""
        rows = (row.split(";", 1)[0].rstrip() for row in self.text.splitlines())
        return [row for row in rows if row]


def examples(path: Path = FORMAT_MD) -> list[Example]:
    """All examples of the document."""
    text = path.read_text(encoding="utf-8")
    return [Example(match[1], match[2], match[3], text.count("\n", 0, match.start()) + 2)
            for match in _FENCE.finditer(text)]


def parse_bytes(text: str) -> bytes:
    """Pairs of hexadecimal digits and texts in double quotes."""
    out, at = b"", 0
    while text[at:].strip():
        match = _TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"not a byte or a text: {text[at:]!r}")
        out += match[1].encode() if match[1] is not None else bytes.fromhex(match[2])
        at = match.end()
    return out


def spans(example: Example) -> list[tuple[int, bytes]]:
    """Offset and bytes of each row of a ``bytes`` example."""
    found = []
    for row in example.rows():
        offset, _, rest = row.partition(" ")
        found.append((int(offset, 16), parse_bytes(rest)))
    return found


def vectors(example: Example) -> list[tuple[str, str]]:
    """Both sides of each row of a ``wire`` example."""
    return [(left.strip(), right.strip())
            for left, _, right in (row.rpartition("->") for row in example.rows())]


def render(items: Iterable[wire.Item]) -> str:
    """The notation of the document for decoded items."""
    return ", ".join(_key(item.key) + _value(item.value.data) for item in items)


def _key(key: wire.Key | None) -> str:
    if key is None:
        return ""
    return {"field": f"{key.name}: ", "event": f"{key.name}!: "}.get(key.kind, f"#{key.name}: ")


def _value(data: object) -> str:
    if isinstance(data, str):
        return '"' + data + '"'
    if data is None or isinstance(data, bool):
        return {None: "null", True: "true", False: "false"}[data]
    if isinstance(data, tuple):
        return "{" + render(data) + "}"
    return data.text if isinstance(data, wire.Date) else str(data)
