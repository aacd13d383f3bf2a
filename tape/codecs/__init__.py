"""Codecs turn messages into bytes and back; they know nothing of queues.

A codec is any object with the attributes of :class:`Codec`; the modules of this package are
codecs themselves: ``fressian``, ``raw``, ``json`` (in the frame of Clojure's tape), ``document``,
``text``, ``wire`` (what Java writes without that frame). ``tape.codecs.msgpack`` and
``tape.codecs.pickle`` must be imported by name.
"""

from __future__ import annotations

TYPE_CHECKING = False       # as typing's; importing typing takes longer than most codecs
if TYPE_CHECKING:
    from typing import Any

    from . import document, fressian, json, raw, text, wire
    from ._protocol import Codec

__all__ = ["Codec", "document", "fressian", "json", "raw", "text", "wire"]


def __getattr__(name: str) -> Any:
    """Imports what is asked for: no program uses all codecs."""
    if name in ("msgpack", "pickle"):
        raise AttributeError(f"tape.codecs.{name} is there when asked for: import it by name "
                             f"(import tape.codecs.{name})")
    if name == "Codec":
        from ._protocol import Codec
        globals()[name] = Codec
        return Codec
    if name in __all__:
        __import__(f"{__name__}.{name}")        # which sets it here
        return globals()[name]
    raise AttributeError(f"module 'tape.codecs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
