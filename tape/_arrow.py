"""Records as numpy has them, and as a stream of Arrow's: for pyarrow, nanoarrow and others.

They find ``__arrow_c_stream__`` and ask nothing more of tape, which needs none of them.
"""

from __future__ import annotations

import numpy

from ._lanes import arrow_stream
from .errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

__all__ = ["Columns"]

NUMBERS = {"i1": "c", "u1": "C", "i2": "s", "u2": "S", "i4": "i", "u4": "I", "i8": "l", "u8": "L",
           "f2": "e", "f4": "f", "f8": "g"}
UNITS = {"s": "s", "ms": "m", "us": "u", "ns": "n"}


class Columns(numpy.ndarray):
    """An array of records; each field is a column of Arrow's, copied but for a lone one."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """One batch, by Arrow's PyCapsule interface.

        Numbers, booleans and times (where NaT is null) are Arrow's own, bytes are of fixed size.
        """
        if self.ndim != 1:
            raise InvalidArgument(f"an array of {self.ndim} dimensions is no table",
                                  hint="ravel() makes it one-dimensional")
        names = self.dtype.names
        fields = [("value", self)] if names is None else [(name, self[name]) for name in names]
        return arrow_stream(len(self), tuple((name, *_column(name, numpy.asarray(values)))
                                             for name, values in fields))


def _column(name: str, values: Any) -> tuple[str, int, Any, Any]:
    """Its format, how many nulls, which are none (``None``: all), and its bytes."""
    dtype = values.dtype
    if dtype.kind == "b" and values.ndim == 1:
        return "b", 0, None, numpy.packbits(values, bitorder="little")
    native = numpy.ascontiguousarray(values, dtype.newbyteorder("="))
    form = None if values.ndim != 1 else _format(dtype)
    if form is None:
        raise InvalidArgument(f"the field {name!r} of {dtype} is no column of Arrow's",
                              hint="select others, or make it one by numpy")
    nothing = numpy.isnat(native) if dtype.kind in "mM" else numpy.zeros(0, "?")
    nulls = int(numpy.count_nonzero(nothing))
    validity = numpy.packbits(~nothing, bitorder="little") if nulls else None
    return form, nulls, validity, native.view("u1")


def _format(dtype: Any) -> str | None:
    if dtype.kind in "mM":
        unit, count = numpy.datetime_data(dtype)
        if count != 1 or unit not in UNITS:
            return None
        return f"tD{UNITS[unit]}" if dtype.kind == "m" else f"ts{UNITS[unit]}:"
    if dtype.kind == "S" or (dtype.kind == "V" and dtype.names is None):
        return f"w:{dtype.itemsize}"
    return NUMBERS.get(f"{dtype.kind}{dtype.itemsize}")
