"""The capsule that hands the codec in C to another extension, called through ctypes."""

from __future__ import annotations

import ctypes
import gc
import sys
from typing import Any

import pytest

from tape.codecs import fressian, json
from tape.codecs.fressian import DecodeError, EncodeError, Fressian, Handlers, kw

pytestmark = pytest.mark.skipif(not fressian.have_speed, reason="the codec in C is not built")

HEAD = 24


class Buffer(ctypes.Structure):
    """fressian_lane_buffer_t"""

    _fields_ = [("data", ctypes.c_void_p), ("capacity", ctypes.c_size_t),
                ("head", ctypes.c_size_t), ("size", ctypes.c_size_t)]

    def message(self) -> bytes:
        return ctypes.string_at(self.data + self.head, self.size)


class Table(ctypes.Structure):
    """fressian_lane_t"""

    _fields_ = [
        ("version", ctypes.c_uint32), ("size", ctypes.c_uint32),
        ("state_of", ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object)),
        ("encode", ctypes.PYFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.py_object,
                                     ctypes.POINTER(Buffer))),
        ("decode", ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p, ctypes.c_char_p,
                                     ctypes.c_size_t)),
    ]


def table() -> Table:
    from tape.codecs.fressian import _speed
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    address = pointer(_speed._capsule, b"tape.fressian_lane")
    return ctypes.cast(address, ctypes.POINTER(Table)).contents


class Lane:
    """One codec by way of the capsule, with one buffer for all messages."""

    def __init__(self, codec: Any) -> None:
        self.table = table()
        self.state = self.table.state_of(codec)
        self.buffer = Buffer(None, 0, HEAD, 0)

    def encode(self, value: Any) -> bytes:
        rc = self.table.encode(self.state, value, ctypes.byref(self.buffer))
        assert rc == 0
        return self.buffer.message()

    def decode(self, data: bytes) -> Any:
        return self.table.decode(self.state, data, len(data))

    def close(self) -> None:
        ctypes.pythonapi.PyMem_Free.argtypes = [ctypes.c_void_p]
        ctypes.pythonapi.PyMem_Free(self.buffer.data)
        if self.state:
            state = ctypes.cast(self.state, ctypes.py_object)
            ctypes.pythonapi.Py_DecRef.argtypes = [ctypes.py_object]
            ctypes.pythonapi.Py_DecRef(state)


VALUES = [None, 0, -1, 2**70, 1.5, "", "text", "ü" * 500, b"bytes", [], [1, [2]], {"a": 1},
          {kw("order/id"): 7, kw.price: 9.5}, "x" * 5000, list(range(5000)), [kw.a, kw.a, kw.b]]


@pytest.fixture
def lane() -> Any:
    made = Lane(fressian)
    yield made
    made.close()


def test_the_table_says_its_version_and_its_size() -> None:
    assert (table().version, table().size) == (1, ctypes.sizeof(Table))


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
def test_the_lane_gives_the_bytes_of_encode_and_the_value_of_decode(lane: Lane,
                                                                    value: Any) -> None:
    assert lane.encode(value) == fressian.encode(value)
    assert lane.decode(fressian.encode(value)) == value


def test_one_buffer_serves_messages_of_all_sizes_and_keeps_its_head_free(lane: Lane) -> None:
    for value in VALUES * 3:
        assert lane.encode(value) == fressian.encode(value)
        ctypes.memset(lane.buffer.data, 0xAA, HEAD)
        assert lane.encode(value) == fressian.encode(value)
        assert ctypes.string_at(lane.buffer.data, HEAD) == b"\xaa" * HEAD


def test_a_buffer_without_a_head_is_taken(lane: Lane) -> None:
    lane.buffer.head = 0
    assert lane.encode([1, "a"]) == fressian.encode([1, "a"])


def test_a_codec_is_known_by_its_methods(lane: Lane) -> None:
    codec = Fressian(keywords="str")
    states = [table().state_of(c) for c in (fressian, codec)]
    assert all(states) and states[0] != states[1]
    other = Lane(codec)
    assert other.encode({"a": 1}) == codec.encode({"a": 1}) != fressian.encode({"a": 1})
    other.close()


class Upper:
    name = "upper"

    def encode(self, obj: str) -> bytes:
        return obj.upper().encode()

    def decode(self, view: memoryview) -> str:
        return str(view, "ascii")


class Half(Upper):
    encode = fressian.encode


class Crossed:
    name = "crossed"
    encode, decode = fressian.decode, fressian.encode


class Raising:
    name = "raising"

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@pytest.mark.parametrize("codec", [json, Fressian(engine="python"), Upper(), Half(), Crossed(),
                                   Raising(), None, 5, fressian.encode],
                         ids=lambda c: type(c).__name__)
def test_no_other_object_has_a_state_and_asking_raises_nothing(codec: Any) -> None:
    assert table().state_of(codec) is None


def test_a_codec_whose_encode_was_replaced_has_no_state() -> None:
    codec = Fressian()
    codec.encode = lambda obj: b"\x00"      # type: ignore[method-assign]
    assert table().state_of(codec) is None


def test_a_value_without_an_encoding_raises_with_its_path_and_the_next_call_works(
        lane: Lane) -> None:
    with pytest.raises(EncodeError) as caught:
        lane.encode({"a": [1, object()]})
    assert caught.value.path == "$.a[1]"
    assert lane.buffer.size == 0
    assert lane.encode([1]) == fressian.encode([1])


def test_bytes_that_are_no_object_raise_with_their_offset(lane: Lane) -> None:
    for data, offset in ((b"", 0), (b"\xe5", 0), (b"\x01\x02", 1), (b"\xfd", 0)):
        with pytest.raises(DecodeError) as caught:
            lane.decode(data)
        with pytest.raises(DecodeError) as wanted:
            fressian.decode(data)
        assert caught.value.offset == wanted.value.offset == offset


def test_max_size_does_not_count_the_head(lane: Lane) -> None:
    small = Lane(Fressian(max_size=10))
    assert small.encode("a" * 8) == fressian.encode("a" * 8)
    with pytest.raises(EncodeError, match="max_size=10"):
        small.encode("a" * 9)
    with pytest.raises(DecodeError, match="max_size=10"):
        small.decode(fressian.encode("a" * 9))
    small.close()


def test_handlers_run_and_may_call_the_lane_with_another_buffer() -> None:
    class Money:
        def __init__(self, amount: int) -> None:
            self.amount = amount

    lanes: list[Lane] = []

    def components(money: Money) -> list[Any]:
        inner = lanes[1].encode([money.amount])
        return [money.amount, inner]

    handlers = Handlers()
    handlers.register(Money, "shop/money", components, lambda amount, inner: (amount, inner))
    codec = Fressian(handlers=handlers)
    lanes += [Lane(codec), Lane(codec)]
    data = lanes[0].encode([Money(5), Money(6)])
    assert lanes[0].decode(data) == [(5, codec.encode([5])), (6, codec.encode([6]))]
    for lane in lanes:
        lane.close()


def test_an_exception_of_a_handler_goes_out_as_it_is() -> None:
    handlers = Handlers()
    handlers.convert(complex, lambda c: 1 / 0)
    lane = Lane(Fressian(handlers=handlers))
    with pytest.raises(ZeroDivisionError):
        lane.encode([1j])
    lane.close()


def test_a_state_keeps_its_codec_alive_and_nothing_leaks() -> None:
    value = {kw("some/name"): [1.5, "text"]}
    lane = Lane(Fressian(handlers=Handlers()))
    gc.collect()
    data = lane.encode(value)
    assert lane.decode(data) == value
    before = sys.getallocatedblocks()
    for _ in range(1000):
        lane.encode(value)
        lane.decode(data)
    assert sys.getallocatedblocks() - before < 100
    lane.close()
