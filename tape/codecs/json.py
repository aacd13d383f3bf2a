"""The JSON codec: values as UTF-8 JSON text, in the frame that Clojure's tape uses.

>>> encode({"ä": [1, None]})
b'{"\\xc3\\xa4":[1,null]}'
>>> decode(memoryview(b'{"a": [1, true]}'))
{'a': [1, True]}
"""

from __future__ import annotations

import json as _json
from typing import Any, NoReturn

from ..errors import DecodeError, EncodeError

name = "json"
framing = "bytes"


def encode(obj: Any) -> bytes:
    """Compact JSON; raises :class:`tape.EncodeError` for what JSON has not, NaN included."""
    try:
        return _json.dumps(obj, ensure_ascii=False, allow_nan=False,
                           separators=(",", ":")).encode("utf-8")
    except (TypeError, ValueError, RecursionError) as error:
        raise EncodeError(f"no JSON for it: {error}",
                          hint="dicts, lists, str, int, float, bool and None") from error


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def decode(view: memoryview) -> Any:
    """The value; raises :class:`tape.DecodeError` with the byte ``offset`` where JSON ends."""
    data, offset = bytes(view), 0
    cause: Exception
    try:
        return _json.loads(data.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        cause, offset = error, error.start
    except _json.JSONDecodeError as error:
        cause, offset = error, len(error.doc[:error.pos].encode("utf-8"))
    except (ValueError, RecursionError) as error:
        cause = error
    raise DecodeError(f"no JSON: {cause}", offset=offset,
                      hint="the raw codec shows the bytes") from cause
