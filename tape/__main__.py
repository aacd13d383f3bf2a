"""``python -m tape COMMAND``: the command line; ``dump`` runs without its extra, too."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from . import __version__, dump
from .errors import Error

MISSING = "tape: this command needs click and rich: pip install 'tape[cli]'"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command and returns its exit code: ``tape``, as pip installs it."""
    try:
        import click  # noqa: F401
        import rich  # noqa: F401
    except ImportError:
        return bare(arguments)
    from .cli.app import main as whole
    return whole(arguments)


def bare(arguments: Sequence[str] | None = None) -> int:
    """The same where there is no click: only what needs nothing else."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        print(f"tape {__version__}")
        return 0
    if given[:1] != ["dump"]:
        print(MISSING, file=sys.stderr)
        return 2
    parser = argparse.ArgumentParser(prog="tape dump", description=(dump.__doc__ or "")
                                     .partition(": ")[2].partition("\n")[0])
    dump.add_arguments(parser)
    options = parser.parse_args(given[1:])
    try:
        code: int = dump.run(options)
        sys.stdout.flush()
        return code
    except Error as error:
        print(f"tape dump: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        # Whoever read our output has seen enough; the interpreter must not flush into the void.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
