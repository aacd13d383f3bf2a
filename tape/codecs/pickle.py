"""The pickle codec. DANGEROUS: reading a message runs whatever code its writer put into it.

Whoever can write one file of the queue's directory can do everything the reader can do. Use it
only where all writers are as trusted as the reader, and never for what came over a network. It is
not loaded with tape; ``import tape.codecs.pickle`` is the signature under this.

>>> decode(memoryview(encode({1, 2})))
{1, 2}
"""

from __future__ import annotations

import io
import pickle as _pickle
from typing import Any

from ..errors import DecodeError, EncodeError

name = "pickle"
framing = "bytes"


def encode(obj: Any) -> bytes:
    """The pickle of ``obj``; raises :class:`tape.EncodeError` when it has none."""
    try:
        return _pickle.dumps(obj, protocol=4)  # every supported Python reads it
    except Exception as error:  # objects raise what they like from __reduce__
        raise EncodeError(f"it cannot be pickled: {error}",
                          hint="pickle explains what it takes") from error


def decode(view: memoryview) -> Any:
    """Runs the pickle and returns what it makes; :class:`tape.DecodeError` when it fails."""
    stream = io.BytesIO(view)
    try:
        value = _pickle.load(stream)
    except Exception as error:  # damaged pickles raise nearly anything
        raise DecodeError(f"no pickle that can be loaded: {error}", offset=stream.tell(),
                          hint="the raw codec shows the bytes") from error
    if stream.tell() != len(view):
        raise DecodeError("bytes behind the pickle", offset=stream.tell(),
                          hint="the raw codec shows the bytes")
    return value
