"""The codec object: options, and the choice between the implementations in C and in Python."""

from __future__ import annotations

from ...errors import DecodeError
from . import codes
from ._options import END, Options
from .handlers import Handlers

TYPE_CHECKING = False       # as typing's; importing typing takes longer than the codec
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, BinaryIO

    from ._reader import Decoder as _PyDecoder
    from ._streams import Reader, Writer
    from ._writer import Encoder as _PyEncoder

__all__ = ["Fressian", "have_speed"]

_speed: Any
try:
    from . import _speed
except ImportError:                         # not built here: PyPy, or no compiler
    _speed = None

have_speed: bool = _speed is not None


class Fressian:
    """A Fressian codec with options. The module ``tape.codecs.fressian`` is one without.

    Args:
        handlers: a :class:`Handlers` registry for classes and tags of your own.
        keywords: ``"keyword"``, or ``"str"``: keywords come as plain ``str`` (``"ns/name"``) and
            ``str`` keys of maps are written as keywords.
        frozen: read tuples, FrozenMaps and frozensets everywhere, not only where hashed.
        numpy: read arrays of numbers and booleans as numpy arrays.
        sort: write maps and sets in the order of their keys' bytes, for equal bytes.
        default: called with a value that has no encoding; what it gives is written instead.
        checksum: check the checksum of footers.
        clashes: ``"error"``, or ``"tagged"``: a map or set whose keys would fall together in
            Python (``{1 :a, true :b}``) comes as ``TaggedValue("map", ([1, ..],))``, which is
            written back as that map.
        negative_zero: write -0.0 as it is; Java's writer makes it 0.0.
        datetimes: ``"error"`` refuses what an inst cannot hold, below a millisecond;
            ``"truncate"`` rounds it down.
        cached_fields: keys of records whose values are written with caching.
        max_depth: levels of nesting, 1 to 4000.
        max_count: elements of one collection or array.
        max_size: bytes of a message, read or written.
        max_bigint: bytes of one big integer read; parts of a ratio may have a sixteenth.
        max_expanded: bytes that shared values would take more if written out each time.
        engine: ``"c"``, ``"python"``, or ``None``: C where it was built.

    Raises:
        ValueError: an option out of range.
        ImportError: ``engine="c"`` where it was not built; ``numpy=True`` without numpy.

    A codec may be used by many threads.

    >>> codec = Fressian(keywords="str")
    >>> codec.dumps({"a": 1}).hex(), codec.loads(codec.dumps({"a": 1}))
    ('c0e6caf7cddb6101', {'a': 1})
    """

    name = "fressian"
    framing = "bytes"

    def __init__(self, *, handlers: Handlers | None = None, keywords: str = "keyword",
                 frozen: bool = False, numpy: bool = False, sort: bool = False,
                 default: Callable[[Any], Any] | None = None, checksum: bool = True,
                 clashes: str = "error", negative_zero: bool = False, datetimes: str = "error",
                 cached_fields: Iterable[Any] = (), max_depth: int = 1000,
                 max_count: int = codes.COUNT_MAX, max_size: int = 2**30,
                 max_bigint: int = 65536, max_expanded: int = 10_000_000,
                 engine: str | None = None) -> None:
        if engine not in (None, "c", "python"):
            raise ValueError(f"engine is 'c', 'python' or None, not {engine!r}")
        if engine == "c" and _speed is None:
            raise ImportError("the Fressian codec in C was not built")
        self._options = Options(handlers, keywords, frozen, numpy, sort, default, checksum,
                                clashes, negative_zero, datetimes, cached_fields, max_depth,
                                max_count, max_size, max_bigint, max_expanded)
        self.engine = "python" if engine == "python" or _speed is None else "c"
        if self.engine == "c":
            core = _speed.Codec(self._options)
            self._make_encoder: Any = core.encoder
            self._make_decoder: Any = core.decoder
            self.encode = core.encode           # type: ignore[method-assign]  # no Python frame
            self.decode = core.decode           # type: ignore[method-assign]
        else:
            from ._pack import pack_text
            from ._reader import Decoder
            from ._writer import Encoder
            self._pack_text = pack_text
            self._encoder_class, self._decoder_class = Encoder, Decoder
            self._make_encoder = self._py_encoder
            self._make_decoder = self._py_decoder

    @property
    def handlers(self) -> Handlers:
        """The registry; what is registered later counts too."""
        return self._options.handlers

    def __repr__(self) -> str:
        return f"<Fressian codec, {self.engine}>"

    # -- one object

    def encode(self, obj: Any) -> bytes:
        """The bytes of one object. Raises :class:`tape.EncodeError` with ``.path``."""
        if type(obj) is str:
            data = self._pack_text(obj)
            if len(data) <= self._options.max_size:
                return data
        return self._encoder_class(self._options).write(obj)

    def decode(self, view: Any) -> Any:
        """The value of the bytes, of which nothing is kept.

        Raises :class:`tape.DecodeError` with ``.offset``.
        """
        return _read_one(*self._py_decoder(view, self._options.checksum))

    def dumps(self, value: Any, *, footer: bool = False) -> bytes:
        """The bytes of one object.

        Args:
            value: what to write; docs/fressian.md has the table of types.
            footer: append a footer with length and checksum.

        Raises:
            EncodeError: ``.path`` says where the value is that has no encoding.

        >>> Fressian().dumps([1, "a"], footer=True).hex()
        'e601db61cfcfcfcf000000042be00564'
        """
        data = self.encode(value)
        if footer:
            head = codes.FOOTER_MAGIC + (len(data) & 0xFFFFFFFF).to_bytes(4, "big")
            data = bytes(data) + head
            from zlib import adler32
            data += adler32(data).to_bytes(4, "big")
        return data

    def loads(self, data: Any, *, checksum: bool | None = None) -> Any:
        """The value of one object, perhaps with a footer behind it.

        Args:
            data: bytes-like; not copied.
            checksum: whether to check a footer's checksum; the codec's option if not given.

        Raises:
            DecodeError: the bytes are no object, or more than one; ``.offset`` says where.
            TypeError: ``data`` is not bytes-like.
        """
        if checksum is None or checksum == self._options.checksum:
            return self.decode(data)
        return _read_one(*self._decoder(data, checksum))

    # -- streams

    def writer(self, file: BinaryIO | None = None) -> Writer:
        """A :class:`Writer` with these options."""
        from ._streams import Writer
        return Writer(self._make_encoder(), file)

    def reader(self, source: Any, *, checksum: bool | None = None) -> Reader:
        """A :class:`Reader` with these options, over bytes or a binary file."""
        from ._streams import Reader
        if hasattr(source, "read"):
            source = source.read()
        checksum = self._options.checksum if checksum is None else checksum
        return Reader(self._decoder(source, checksum)[0])

    # -- implementation

    def _decoder(self, data: Any, checksum: bool) -> tuple[Any, int]:
        if self.engine == "python":
            return self._py_decoder(data, checksum)
        return self._make_decoder(data, checksum), memoryview(data).nbytes

    def _py_encoder(self) -> _PyEncoder:
        return self._encoder_class(self._options)

    def _py_decoder(self, data: Any, checksum: bool) -> tuple[_PyDecoder, int]:
        if type(data) is not bytes:
            data = memoryview(data)
            if not data.c_contiguous:
                raise BufferError("the input has to be contiguous")
            data = data.cast("B") if data.ndim != 1 or data.format != "B" else data
        _check_size(len(data), self._options.max_size)
        return self._decoder_class(data, self._options, checksum), len(data)


def _read_one(decoder: Any, size: int) -> Any:
    """The only object of an input, which may end with one footer.

    Raises:
        DecodeError: nothing, more than one object, or something wrong.
    """
    value = decoder.next()
    if value is END:
        raise DecodeError(f"the input ends before an object at byte {decoder.pos}",
                          offset=decoder.pos)
    if decoder.at_footer():
        decoder.footer()
    if decoder.pos != size:
        raise DecodeError(f"bytes after the object at byte {decoder.pos}", offset=decoder.pos)
    return value


def _check_size(size: int, limit: int) -> None:
    if size > limit:
        raise DecodeError(f"{size} bytes; the limit is max_size={limit}", offset=0)
