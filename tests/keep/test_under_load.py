"""Retention on a file system that is too small, with a reader that is too slow."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.directories import on_a_small_disk

# Three processes on a tmpfs of 24 MB. The writer rolls every second and collects after each roll;
# it waits when the disk is full. The reader is slower, and named. A watcher looks read-only.
PROGRAM = """
    import json, logging, os, subprocess, sys, time, tape
    from tape.codecs import raw
    from tape import Keep
    path, seconds = sys.argv[1] + "/q", 9.0
    options = dict(codec=raw, roll_cycle="TEST_SECONDLY", block_size=131072)
    stop = time.monotonic() + seconds

    def write():
        logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(name)s %(message)s")
        logging.getLogger("tape.cycle").setLevel(logging.ERROR)
        n = full = 0
        with tape.open(path, on_released=[Keep(max_bytes="6MB")], **options) as q:
            a = q.appender()
            while time.monotonic() < stop:
                try:
                    a.write(n.to_bytes(8, "big") + bytes(2000))
                    n += 1
                    if n % 16 == 0: time.sleep(0.005)
                except tape.DiskFull:
                    full += 1
                    time.sleep(0.05)
        print(json.dumps({"written": n, "full": full}))

    def read():
        n = gaps = 0
        with tape.open(path, **options) as q, q.tailer("slow") as t:
            while True:
                m = t.read(timeout=1.5)
                if m is None: break
                assert int.from_bytes(m[:8], "big") == n, (n, m[:8])
                n += 1
                if n % 8 == 0: time.sleep(0.004)
        print(json.dumps({"read": n}))

    def watch():
        most = 0
        while time.monotonic() < stop:
            disk = os.statvfs(path)
            most = max(most, (disk.f_blocks - disk.f_bfree) * disk.f_frsize)
            with tape.open(path, codec=raw, read_only=True) as q:
                q.stats(); list(q.tailer(on_gap="skip").entries(50))
            time.sleep(0.1)
        print(json.dumps({"most": most}))

    if len(sys.argv) > 2:
        {"write": write, "read": read, "watch": watch}[sys.argv[2]]()
        sys.exit()
    with tape.open(path, **options) as q:
        q.tailer("slow").close()
    jobs = [subprocess.Popen([sys.executable, __file__, sys.argv[1], what], text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            for what in ("write", "read", "watch")]
    found, errors = {}, ""
    for job in jobs:
        out, err = job.communicate(timeout=100)
        found.update(json.loads(out) if out.strip() else {"failed": err[-2000:]})
        found.setdefault("codes", []).append(job.returncode)
        errors += err
    with tape.open(path, **options) as q:
        before = os.statvfs(path)
        verdicts = q.gc(Keep(max_cycles=1))
        after = os.statvfs(path)
    found.update(freed=(after.f_bavail - before.f_bavail) * after.f_frsize,
                 held=sum(v.bytes for v in verdicts if not v.goes),
                 used=(after.f_blocks - after.f_bfree) * after.f_frsize,
                 removed=errors.count("was removed: all take"))
    print(json.dumps(found))
    """


@pytest.mark.slow
def test_nothing_unread_is_lost_and_the_disk_comes_back(tmp_path: Path) -> None:
    """Each message once and in order for the slow reader, no process killed, each removal logged
    with its reason; in the end the disk holds what the newest file takes."""
    found = json.loads(on_a_small_disk(tmp_path, "24m", PROGRAM, timeout=150))
    print(found)
    assert found["codes"] == [0, 0, 0], found
    assert found["read"] == found["written"] > 1000
    assert found["removed"] >= 1
    assert found["used"] <= found["held"] + (1 << 20)
