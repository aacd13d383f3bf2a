"""What type checkers must find: each line with ``# error`` is an error, and no other one is."""

from __future__ import annotations

import tape
from tape.codecs import raw, text

q = tape.open("q", codec=text)
q.appender().write(b"bytes")  # error
q.appender().write_many([1, 2])  # error
q.tailer().get().missing()  # error
q.tailer(codec=raw).get().encode()  # error
q.tailer(start=1.5)  # error
q.tailer(comit="manual")  # error
q.appender(codec="json")  # error
tape.open("q", roll_cyle="daily")  # error
tape.open(7)  # error
tape.open("q", codec=object())  # error
tape.open("q", lock_timeout="10s")  # error
index: str = q.appender().write("text")  # error
message: str = q.tailer().read("default")  # error
t: tape.Tailer[int] = q.tailer()  # error
any_queue: tape.Queue[object] = q  # error
any_appender: tape.Appender[object] = q.appender()  # error
q.tailer().read(timout=1)  # error
q.roll_cycle = "daily"  # error
tape.NOTHING()  # error
