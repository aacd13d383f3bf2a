"""Writer and Reader of the package: over the codec without options, if none is given.

Apart from the package itself because few programs stream, and streams import much.
"""

from __future__ import annotations

from typing import Any, BinaryIO

from . import _default, _streams
from ._codec import Fressian

__all__ = ["Reader", "Writer"]


class Writer(_streams.Writer):
    __doc__ = _streams.Writer.__doc__
    __module__ = "tape.codecs.fressian"

    def __init__(self, file: BinaryIO | None = None, *, codec: Fressian = _default) -> None:
        super().__init__(codec._make_encoder(), file)


class Reader(_streams.Reader):
    __doc__ = _streams.Reader.__doc__
    __module__ = "tape.codecs.fressian"

    def __init__(self, source: Any, *, checksum: bool = True, codec: Fressian = _default) -> None:
        if hasattr(source, "read"):
            source = source.read()
        super().__init__(codec._decoder(source, checksum)[0])
