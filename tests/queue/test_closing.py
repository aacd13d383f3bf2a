"""Closing, forgetting, forking: who held what, and what it says afterwards."""

from __future__ import annotations

import gc
import os
import re
import threading
import time
from pathlib import Path

import pytest

import tape
from tape.codecs import raw


def test_closed_things_say_what_closed_them(tmp_path: Path) -> None:
    """Later use raises QueueClosed with what closed it and when; closing again is nothing."""
    q = tape.open(tmp_path)
    a, t = q.appender(), q.tailer()
    a.write(1)
    q.close()
    q.close()
    for use in (lambda: a.write(2), t.read, lambda: t.seek(1), t.seek_end, lambda: q.first_index,
                q.appender, q.tailer, lambda: list(t), lambda: a.last_index, lambda: t.index,
                lambda: q.locate(1), q.info):
        with pytest.raises(tape.QueueClosed, match=r"closed by Queue\.close\(\) at 20\d\d-"):
            use()
    assert q.closed and a.closed and t.closed
    assert "closed" in repr(q) and "closed" in repr(a) and "closed" in repr(t)


@pytest.mark.parametrize("order", ["qat", "qta", "aqt", "atq", "taq", "tqa"])
def test_things_may_be_closed_in_any_order(tmp_path: Path, order: str) -> None:
    """Queue, appender and tailer may be closed, and collected, in any order."""
    things = {"q": tape.open(tmp_path)}
    things["a"], things["t"] = things["q"].appender(), things["q"].tailer()
    things["a"].write("x")
    assert things["t"].read() == "x"
    for name in order:
        things[name].close()
        del things[name]
        gc.collect()
    with tape.open(tmp_path) as again:
        assert list(again.tailer()) == ["x"]


def test_descriptors_and_mappings_go_back(tmp_path: Path) -> None:
    """Descriptors and mappings go back, closed or only forgotten."""
    def held() -> tuple[int, int]:
        gc.collect()
        maps = Path("/proc/self/maps").read_text()
        return len(os.listdir("/proc/self/fd")), len(re.findall(re.escape(str(tmp_path)), maps))

    def use(close: bool) -> None:
        q = tape.open(tmp_path)
        q.appender().write(1)
        t = q.tailer()
        t.read()
        if close:
            q.close()

    use(True)
    before = held()
    for n in range(20):
        use(n % 2 == 0)
    assert held() == before


def test_closing_ends_calls_of_other_threads(tmp_path: Path) -> None:
    """Threads inside write() and read() get QueueClosed, never a crash."""
    q = tape.open(tmp_path, codec=raw)
    a, ends = q.appender(), []

    def work(step: object) -> None:
        try:
            while True:
                step()
        except tape.QueueClosed:
            ends.append("closed")

    threads = [threading.Thread(target=work, args=(lambda: a.write(b"x"),)) for _ in range(2)]
    threads += [threading.Thread(target=work, args=(q.tailer().read,)) for _ in range(2)]
    threads += [threading.Thread(target=work, args=(lambda: q.last_index,))]
    for thread in threads:
        thread.start()
    time.sleep(0.2)
    q.close()
    for thread in threads:
        thread.join(10)
    assert ends == ["closed"] * 5


def test_a_forked_child_opens_the_queue_anew(tmp_path: Path) -> None:
    """In a forked child old objects say so, and the queue can be opened again."""
    q = tape.open(tmp_path, codec=raw)
    a, t = q.appender(), q.tailer()
    a.write(b"parent")
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            refused = 0
            for use in (lambda: a.write(b"x"), t.read, lambda: q.last_index):
                try:
                    use()
                except tape.Forked as error:
                    refused += bool(error.hint)
            q.close()
            with tape.open(tmp_path, codec=raw) as mine:
                mine.appender().write(b"child")
                status = 0 if refused == 3 and len(list(mine.tailer())) == 2 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    a.write(b"parent again")
    assert list(t) == [b"parent", b"child", b"parent again"]
    q.close()
