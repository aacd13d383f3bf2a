"""How a queue fares, and the same as OpenMetrics."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tape
from tape.codecs import raw
from tape.metrics import openmetrics

from tests.kit.clocks import SetClock
from tests.kit.queues import CYCLE, Changing, index_of


def digest(directory: Path) -> dict[str, tuple[int, int, bytes]]:
    return {p.name: (p.stat().st_mtime_ns, p.stat().st_size, p.read_bytes())
            for p in directory.iterdir()}


def test_numbers_are_those_of_the_queue(changing: Changing) -> None:
    """Messages, indexes and files; again after files came and went."""
    q = changing.q
    s = q.stats()
    assert (s.messages, s.first_index, s.last_index) == (len(q), q.first_index, q.last_index)
    assert (s.cycles, s.compressed) == (len(q.cycles()), 0)
    assert s.bytes == sum(c.bytes for c in q.cycles())
    assert s.bytes_on_disk == sum(c.bytes_on_disk for c in q.cycles())
    changing.write(6, 7)
    changing.file(0).unlink()
    q.refresh()
    assert q.stats().messages == len(q) == s.messages + 5


def test_finished_cycles_are_looked_into_once(changing: Changing) -> None:
    """So that a queue of many cycles costs one look at the directory."""
    from tape import stats
    changing.q.stats()
    looked = []
    real = stats.lib.tape_queue_cycle_info

    class Lib:
        def __getattr__(self, name: str) -> object:
            return getattr(stats_lib, name)

        def tape_queue_cycle_info(self, handle: object, cycle: int, out: object) -> int:
            looked.append(cycle - CYCLE)
            return int(real(handle, cycle, out))

    stats_lib = stats.lib
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stats, "lib", Lib())
        assert changing.q.stats().messages == 8
    assert looked == [5]


def test_a_queue_opened_read_only_tells_the_same_and_no_byte_changes(changing: Changing) -> None:
    """Seeing leaves no trace, with the tailers' lags as well."""
    with changing.q.tailer("slow") as t:
        t.read()
    directory = Path(changing.q.path)
    before = digest(directory)
    with tape.open(directory, codec=raw, read_only=True, clock=changing.clock) as q:
        s = q.stats()
        assert s.messages == 8 and s.tailers["slow"].messages == 7
    assert digest(directory) == before


@pytest.mark.parametrize(("second", "sequence", "behind"), [
    (0, 0, 8), (0, 1, 7), (1, 0, 6), (1, 2, 4), (5, 1, 1), (5, 2, 0)])
def test_the_lag_of_a_named_tailer_is_that_of_its_position(
        changing: Changing, second: int, sequence: int, behind: int) -> None:
    """Anywhere: at a message, behind a cycle's last one, at the end."""
    q = changing.q
    with q.tailer("t") as t:
        t.seek(index_of(second, sequence))
        t.commit()
        expected = t.lag()
    found = q.stats().tailers["t"]
    assert found.index == index_of(second, sequence) and found.messages == behind
    assert (found.messages, found.bytes, found.seconds) == expected


def test_the_lag_of_a_position_whose_file_is_gone(changing: Changing) -> None:
    """What it has yet to read is what is further on; nothing, behind all."""
    q = changing.q
    for name, second in (("old", 0), ("newest", 5)):
        with q.tailer(name) as t:
            t.seek(index_of(second, 1))
            t.commit()
    changing.file(0).unlink()
    q.refresh()
    assert q.stats().tailers["old"].messages == 6
    changing.file(5).unlink()
    q.refresh()
    assert q.stats().tailers["newest"].messages == 0


def test_an_empty_queue_has_stats(tmp_path: Path) -> None:
    """Without a message, with a tailer that waits."""
    with tape.open(tmp_path) as q:
        q.tailer("early").close()
        s = q.stats()
        assert (s.messages, s.first_index, s.last_index, s.cycles) == (0, None, None, 0)
        assert s.tailers["early"] == tape.TailerStats("early", 0, 0, 0, 0.0, False)
        assert s.messages_per_second is None and s.seconds_to_full is None
    with pytest.raises(tape.QueueClosed):
        q.stats()


def test_rates_count_from_the_look_before(tmp_path: Path) -> None:
    """What was added over the time that passed; not when messages went with their file."""
    with tape.open(tmp_path, codec=raw, block_size=64 << 10) as q:
        a = q.appender()
        a.write(b"x")
        first = q.stats()
        begun = time.monotonic()
        for _ in range(500):
            a.write(b"x" * 1000)
        time.sleep(0.05)
        second = q.stats()
        most = 500 / (time.monotonic() - begun - 0.01)
        assert first.messages_per_second is None
        assert second.messages_per_second and 0 < second.messages_per_second < 500 / 0.05
        assert second.messages_per_second > most / 20
        assert second.bytes_per_second and second.bytes_per_second > 0
        assert second.seconds_to_full and second.seconds_to_full == pytest.approx(
            second.disk_free / second.bytes_per_second)
        third = q.stats()
        assert third.messages_per_second == 0.0 and third.seconds_to_full is None


def test_the_holder_of_the_lock_is_named_and_how_long(tmp_path: Path) -> None:
    """As long as this object has seen it hold the lock and nothing was added."""
    with tape.open(tmp_path, codec=raw) as q:
        q.appender().write(b"x")
        assert q.stats().lock_holder is None and q.stats().lock_held_for is None
        code = ("import sys, time, tape\nfrom tape.codecs import raw\n"
                "class Clock:\n"
                "    def now_ms(self):\n"
                "        print('held', flush=True); time.sleep(60)\n"
                "tape.open(sys.argv[1], codec=raw, clock=Clock()).appender().write(b'y')")
        holder = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)],
                                  stdout=subprocess.PIPE, text=True)
        assert holder.stdout and holder.stdout.readline() == "held\n"
        try:
            first = q.stats()
            time.sleep(0.1)
            second = q.stats()
        finally:
            holder.kill()
            holder.wait()
        assert first.lock_holder == second.lock_holder == holder.pid
        assert first.lock_held_for == pytest.approx(0, abs=0.05)
        assert second.lock_held_for and 0.1 <= second.lock_held_for < 30


def test_openmetrics_is_what_prometheus_reads(changing: Changing, tmp_path: Path) -> None:
    """Parsed by its own parser: names, units, labels with quotes and newlines, values."""
    parser = pytest.importorskip("prometheus_client.openmetrics.parser")
    odd = tmp_path / 'a "queue"\nof\\ours'
    with tape.open(odd) as q:
        q.appender().write("a")
        q.tailer('na"me').close()
        text = openmetrics([changing.q.stats(), q.stats()])
    families = {f.name: f for f in parser.text_string_to_metric_families(text)}
    messages = {s.labels["queue"]: s.value for s in families["tape_queue_messages"].samples}
    assert messages == {changing.q.path: 8.0, str(odd): 1.0}
    (lag,) = families["tape_tailer_lag_messages"].samples
    assert lag.labels == {"queue": str(odd), "tailer": 'na"me'} and lag.value == 1.0
    assert families["tape_tailer_lag_seconds"].unit == "seconds"
    assert "tape_queue_disk_full_seconds" not in families  # not known at the first look
    assert all(f.documentation and f.type == "gauge" for f in families.values())


def test_openmetrics_of_nothing_is_a_whole_text() -> None:
    """Of no queue at all."""
    assert openmetrics([]) == "# EOF\n"


def test_a_path_that_is_no_utf8_becomes_readable(tmp_path: Path) -> None:
    """The text must be UTF-8, whatever a directory is called."""
    with tape.open(os.fsencode(tmp_path) + b"/\xff") as q:
        assert "/?" in q.stats().openmetrics().encode("utf-8").decode("utf-8")


def test_a_position_of_a_clock_of_ones_own(tmp_path: Path) -> None:
    """Seconds of lag count by the queue's clock."""
    clock = SetClock(CYCLE * 1000)
    with tape.open(tmp_path, codec=raw, roll_cycle="TEST4_SECONDLY", clock=clock) as q:
        q.appender().write(b"x")
        q.tailer("t").close()
        clock.ms = (CYCLE + 11) * 1000
        assert q.stats().tailers["t"].seconds == 10.0
