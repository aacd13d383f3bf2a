"""Makes the pictures of the command line in docs/_static, each from a real run in a terminal.

``python docs/pictures.py`` writes a queue with two named tailers in a temporary directory, runs
the commands, and saves what they showed as SVG. Needs the extra ``cli``.
"""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
from pathlib import Path

from rich.console import Console
from rich.text import Text

import tape

STATIC = Path(__file__).resolve().parent / "_static"
COLUMNS = 88


def shown(*arguments: str) -> str:
    """What a command shows in a terminal."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, COLUMNS, 0, 0))
    process = subprocess.Popen([sys.executable, "-m", "tape", *arguments], stdin=slave,
                               stdout=slave, stderr=slave, close_fds=True,
                               env={**os.environ, "TERM": "xterm-256color"})
    os.close(slave)
    text = b""
    while True:
        try:
            data = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        text += data
    os.close(master)
    process.wait()
    return text.decode(errors="replace").replace("\r\n", "\n")


def save(name: str, title: str, text: str) -> None:
    """Saves a picture."""
    console = Console(record=True, width=COLUMNS, file=open(os.devnull, "w"))
    console.print(Text.from_ansi(f"$ {title}\n" + text.rstrip("\n")))
    svg = console.export_svg(title=title)
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)  # nothing is fetched
    (STATIC / f"{name}.svg").write_text(svg)


def write(q: tape.Queue, stop: threading.Event) -> None:
    """Some thousand messages a second."""
    a = q.appender()
    while not stop.wait(0.002):
        a.write_many([{"order": n, "side": "buy", "price": 10.5} for n in range(10)])


def main() -> None:
    """Makes all of them."""
    os.environ["PYTHONPATH"] = str(STATIC.parent.parent)
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        os.chdir(folder)
        for name in ("orders", "trades"):
            with tape.open(f"queues/{name}") as q:
                a = q.appender()
                for n in range(5000):
                    a.write({"order": n, "side": "sell", "price": n / 4})
                for reader, count in (("billing", 4200), ("audit", 120)):
                    with q.tailer(reader) as t:
                        t.read_many(count)
        stop, queues = threading.Event(), [tape.open(f"queues/{n}") for n in ("orders", "trades")]
        threads = [threading.Thread(target=write, args=(q, stop)) for q in queues]
        for thread in threads:
            thread.start()
        time.sleep(0.3)
        top = shown("top", "queues", "--once", "--every", "1")
        stop.set()
        for thread in threads:
            thread.join()
        for q in queues:
            q.close()
        save("top", "tape top queues", top)
        info = shown("info", "queues/orders").replace(folder, "/var")
        save("info", "tape info queues/orders", info)
        save("bench", "tape bench .", shown("bench", "."))


if __name__ == "__main__":
    main()
