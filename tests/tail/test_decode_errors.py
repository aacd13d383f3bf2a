"""What a codec cannot read stays next, is skipped, or is told; never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

import tape

from tests.kit.codecs import Bytes
from tests.kit.queues import Filled


def test_decode_errors_do_not_move_a_name(filled: Filled) -> None:
    """A poison message stays next, also after a restart; skip() moves on."""
    for _ in range(2):
        with filled.q.tailer("poison", codec=tape.codecs.fressian) as t, \
                pytest.raises(tape.DecodeError):
            t.read()
    with filled.q.tailer("poison", codec=tape.codecs.fressian) as t:
        assert t.skip() == 1
    assert filled.q.tailer("poison").read() == filled.messages[1]


def test_on_error_skips_or_is_told_and_may_raise(filled: Filled) -> None:
    """"skip" passes what cannot be decoded; a callable is told, and may raise."""
    class Picky(Bytes):
        name = "picky"

        def decode(self, view: memoryview) -> bytes:
            if view[0:1] != b"5":
                raise ValueError("not a five")
            return bytes(view)

    assert list(filled.q.tailer(codec=Picky(), on_error="skip")) == [b"5.0", b"5.1"]
    told: list[int] = []
    t = filled.q.tailer(codec=Picky(), on_error=lambda e: told.append(e.index))
    assert list(t) == [b"5.0", b"5.1"] and told == filled.indexes[:451] + filled.indexes[453:]

    def refuse(error: tape.DecodeError) -> None:
        raise KeyError(error.index)

    t = filled.q.tailer(codec=Picky(), on_error=refuse)
    for _ in range(2):
        with pytest.raises(KeyError):
            t.read()
    assert t.index == filled.indexes[0]
    with pytest.raises(ValueError):
        filled.q.tailer(on_error="ignore")


def test_a_message_of_another_kind_has_an_address_and_stays_until_skipped(closed: Path) -> None:
    """A message that the codec cannot decode has an address and its bytes, stays till skipped."""
    with tape.open(closed, codec=tape.codecs.raw) as q:
        t = q.tailer(codec=tape.codecs.fressian)
        for _ in range(2):
            with pytest.raises(tape.DecodeError) as caught:
                t.read()
            assert caught.value.raw == b"message 0"
            assert caught.value.index == q.first_index == t.index
            assert caught.value.__cause__ is not None
        assert t.skip(20) == 20
        q.appender(codec=tape.codecs.fressian).write({"ok": True})
        assert t.read() == {"ok": True}
