"""``python -m tape dump``: what stands in a .cq4 or .cq4t file, annotated, damage included.

Reads by ``pread`` alone, never maps, locks or writes, and needs no more memory for a large file
than for a small one. Exit codes: 0 all is well, 1 something is wrong in a file, 2 it could not be
read at all.
"""

from .command import add_arguments, files_of, hex_lines, lines_of, run
from .names import cycle_of, start_of

__all__ = ["add_arguments", "cycle_of", "files_of", "hex_lines", "lines_of", "run", "start_of"]
