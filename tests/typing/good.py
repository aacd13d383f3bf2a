"""What users write, and what type checkers make of it: every line here is right."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from typing_extensions import assert_type

import tape
from tape.codecs import raw, text


class Order:
    """A message of a user's own."""

    def __init__(self, number: int) -> None:
        self.number = number


class Orders:
    """Its codec."""

    name = "orders"

    def encode(self, obj: Order, /) -> bytes:
        return str(obj.number).encode()

    def decode(self, view: memoryview, /) -> Order:
        return Order(int(bytes(view)))


def anything() -> None:
    with tape.open("q") as q:
        assert_type(q, tape.Queue[Any])
        assert_type(q.appender().write({"any": "thing"}), int)
        assert_type(q.tailer().get(), Any)
        for message in q.tailer("name", commit="manual"):
            print(message["any"])


def orders() -> None:
    with tape.open("orders", codec=Orders(), roll_cycle="fast-hourly") as q:
        assert_type(q, tape.Queue[Order])
        with q.appender() as a:
            assert_type(a, tape.Appender[Order])
            assert_type(a.write(Order(1)), int)
            assert_type(a.try_write(Order(1)), "int | None")
            assert_type(a.write_many([Order(2), Order(3)]), range)
        with q.tailer("billing", start="end") as t:
            assert_type(t, tape.Tailer[Order])
            assert_type(t.read(), "Order | None")
            assert_type(t.read(tape.NOTHING), "Order | tape._types.Nothing")
            assert_type(t.read("none", timeout=1), "Order | str")
            assert_type(t.get(timeout=None), Order)
            assert_type(next(t), Order)
            assert_type(t.read_many(10), list[Order])
            assert_type(t.seek_start(), tape.Tailer[Order])
            assert_type(t.last_read, "int | None")
            for order in t:
                assert_type(order, Order)
            for order in t.follow(timeout=1):
                assert_type(order.number, int)
            if (entry := t.read_entry()) is not None:
                assert_type(entry.index, int)


def several_codecs(q: tape.Queue[Order], numbers: tape.Appender[int]) -> None:
    seen(q.tailer())  # what a tailer gives may be taken for more,
    say_yes(numbers)  # what an appender takes for less
    assert_type(q.tailer(codec=raw).get(), bytes)
    assert_type(q.tailer(codec=text, metadata=True).get(), "str | None")
    assert_type(q.appender(codec=raw), tape.Appender[bytes])


def seen(t: tape.Tailer[object]) -> int:
    return sum(1 for _ in t)


def say_yes(a: tape.Appender[bool]) -> int:
    return a.write(True)


def numbers(t: tape.Tailer[Order]) -> Iterator[int]:
    yield from (order.number for order in t)


async def streams(q: tape.Queue[Order]) -> None:
    async with q.appender().sink() as put:
        assert_type(await put(Order(1)), int)
    async for message in q.tailer().stream():
        print(message)


def errors(q: tape.Queue[Any]) -> None:
    try:
        q.appender().write(1)
    except tape.LockTimeout as error:
        print(error.hint, error.holder_pid)
    except (tape.DiskFull, OSError) as error:
        print(error)
