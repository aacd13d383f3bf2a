"""Words of the line protocol, see ``Console.java``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator


def word_of(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex() or "-"
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if "\n" in text:
        raise ValueError(f"a word of the protocol cannot hold a newline: {text!r}")
    return text


def bytes_of(word: str) -> bytes:
    return b"" if word == "-" else bytes.fromhex(word)


def expand_runs(runs: Iterable[str]) -> Iterator[int]:
    for run in runs:
        first, count = map(int, run.split("+"))
        yield from range(first, first + count)


def field_words(value: str | int | float | bool | bytes) -> tuple[str, object]:
    if isinstance(value, bool):
        return "bool", value
    if isinstance(value, int):
        return "int64", value
    if isinstance(value, float):
        return "float64", value
    return ("bytes", value) if isinstance(value, bytes) else ("text", value.encode())


def pair_of(text: str) -> tuple[str, str]:
    key, _, value = text.partition("=")
    return key, value


def camel(name: str) -> str:
    if name.endswith("_ms"):
        name = name[:-3] + "_MS"
    head, *rest = name.split("_")
    return head + "".join(part if part.isupper() else part.capitalize() for part in rest)
