"""Lets tests import their helpers as ``tests.…`` while ``tape`` is the installed one.

The project's root goes to the end of the path: the installed package, which has the compiled
extension, comes first.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parent))
