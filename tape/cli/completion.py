"""``tape completion``: the script that lets a shell complete commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

EPILOG = """\b
Examples:
  tape completion bash >> ~/.bashrc
  tape completion fish > ~/.config/fish/completions/tape.fish"""


@click.command(epilog=EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> int:
    """Print a script that completes commands, options and paths in SHELL."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"this click knows no {shell}")
    click.echo(kind(ctx.find_root().command, {}, "tape", "_TAPE_COMPLETE").source())
    return 0
