"""The man pages of section 1, out of what ``--help`` says: tape, and one a command.

``python -m tools.man_commands`` writes them to ``docs/man``, from where a wheel takes them; a test
says when they are old. Needs the extra ``cli``.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from tape.cli.app import COMMANDS, tape
from tools.header import ROOT
from tools.man import VERSION, escape

HOME = ROOT / "docs" / "man"
EXITS = {"0": "All is well, also when nobody reads the output any more.",
         "1": "A finding.", "2": "Wrong use, or it could not be done.",
         "3": "Done, with warnings.", "130": "Interrupted."}


def head(name: str) -> str:
    return f'.TH {escape(name.upper())} 1 "" "tape {VERSION}" "tape"\n.nh\n.ad l'


def sentence(text: str) -> str:
    """A paragraph of a help, on one line, the words in capitals apart, as they stand for others."""
    text = escape(" ".join(text.split()))
    return re.sub(r"\b([A-Z]{2,})(s?)\b", r"\\fI\1\\fR\2", text)


def parts(command: click.Command) -> tuple[list[str], str, list[str]]:
    """The paragraphs of a help, what its epilog says of exit codes, and the examples."""
    paragraphs = [p.replace("\b\n", "") for p in (command.help or "").split("\n\n")]
    epilog = (command.epilog or "").replace("\b\n", "")
    about, _, examples = epilog.partition("Examples:\n")
    exits = " ".join(about.split()).removeprefix("Exit codes:").strip()
    return paragraphs, exits, [line.strip() for line in examples.splitlines() if line.strip()]


def options(command: click.Command, ctx: click.Context) -> Iterator[str]:
    """Each with what --help says of it."""
    for parameter in command.get_params(ctx):
        record = parameter.get_help_record(ctx) if isinstance(parameter, click.Option) else None
        if record is not None:
            yield from (".TP", f'.B "{escape(record[0])}"', sentence(record[1]))


def exit_status(exits: str) -> Iterator[str]:
    """What the command says of it; what holds for all."""
    if exits:
        yield sentence(exits[:1].upper() + exits[1:])
        yield ".PP"
        yield "What holds for all commands is in \\fBtape\\fR(1)."
        return
    for code, text in EXITS.items():
        yield from (".TP", f".B {code}", text)


def page(name: str) -> str:
    """The page of one command; of ``tape`` itself, that of all."""
    whole = name == "tape"
    top = click.Context(tape, info_name="tape", **tape.context_settings)
    command = tape if whole else tape.get_command(top, name)
    assert command is not None
    ctx = top if whole else click.Context(command, info_name=name, parent=top)
    paragraphs, exits, examples = parts(command)
    title = "tape" if whole else f"tape-{name}"
    words = "look at message queues, write them, free the disk" if whole else COMMANDS[name]
    lines = [head(title), ".SH NAME", f"{escape(title)} \\- {escape(words)}", ".SH SYNOPSIS",
             f".B {escape(ctx.command_path)}",
             sentence(" ".join(command.collect_usage_pieces(ctx))), ".SH DESCRIPTION"]
    for number, paragraph in enumerate(paragraphs):
        lines += [".PP"] * (number > 0) + [sentence(paragraph)]
    if whole:
        lines.append(".SH COMMANDS")
        for each, text in COMMANDS.items():
            lines += [".TP", f"\\fBtape\\-{each}\\fR(1)", escape(text[0].upper() + text[1:] + ".")]
    lines += [".SH OPTIONS", *options(command, ctx)]
    lines += [".SH EXIT STATUS", *exit_status("" if whole else exits)]
    lines += [".SH EXAMPLES", ".nf", *map(escape, examples), ".fi"]
    others = "\\fBtape\\fR(3)" if whole else "\\fBtape\\fR(1)"
    return "\n".join([*lines, ".SH SEE ALSO", others, ""])


def pages() -> dict[str, str]:
    """Every page: its file name and its text."""
    return {f"tape{'-' + name if name != 'tape' else ''}.1": page(name)
            for name in ("tape", *COMMANDS)}


def main(directory: Path = HOME) -> None:
    """Writes them all, and removes those of commands that are no more."""
    directory.mkdir(parents=True, exist_ok=True)
    found = pages()
    for path in directory.glob("*.1"):
        if path.name not in found:
            path.unlink()
    for name, text in found.items():
        (directory / name).write_text(text)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
