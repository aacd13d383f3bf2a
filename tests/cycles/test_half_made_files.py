"""Files that somebody is making, or will never finish, stop nobody."""

from __future__ import annotations

import pytest

import tape
from tape.codecs import raw

from tests.kit.queues import Changing, index_of


@pytest.mark.parametrize("cycle", [2, 5])
def test_a_half_made_file_at_a_stored_position_is_waited_for(
        changing: Changing, cycle: int) -> None:
    """It is no file yet: the tailer waits behind the last message, and does not begin at the first.
    """
    with changing.q.tailer("n", commit="manual") as t:
        t.seek(index_of(2, 1))
        t.commit()
    for second in (2, 5):
        changing.file(second).unlink()
    changing.file(cycle).touch()
    with changing.q.tailer("n", commit="manual") as t:
        assert t.read() is None and t.index == index_of(1, 2)


@pytest.mark.parametrize("second", [-1, 3])
@pytest.mark.parametrize("size", [0, 4096])
def test_a_file_left_half_made_does_not_stop_a_tailer(changing: Changing, second: int,
                                                      size: int) -> None:
    """Its maker died, and nobody looks after it any more, since newer cycles exist: before the
    first messages or between, it is passed over, in both directions."""
    with open(changing.file(second), "wb") as file:
        file.truncate(size)
    changing.q.refresh()
    everything = [b"0.0", b"0.1", b"1.0", b"1.1", b"2.0", b"2.1", b"5.0", b"5.1"]
    with tape.open(changing.q.path, codec=raw, read_only=True) as q:
        t = q.tailer()
        assert list(t) == everything and q.first_index == index_of(0)
        t.direction = "backward"
        assert list(t) == everything[::-1]
        assert len(q) == len(everything)


def test_a_file_that_is_being_made_is_waited_for(changing: Changing) -> None:
    """The newest one is half-made: nothing yet; when it is there, its messages are read."""
    path = changing.file(6)
    path.write_bytes(b"")
    t = changing.q.tailer(start=index_of(5, 1))
    assert t.read() == b"5.1" and t.read() is None
    path.unlink()
    changing.write(6)
    assert t.get(5) == b"6.0"
