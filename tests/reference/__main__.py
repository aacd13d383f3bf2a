"""``python -m tests.reference DIR``: prints messages, indexes and findings of a queue."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from . import payload
from .check import check_queue
from .errors import FormatError
from .findings import ERROR
from .queue import Message, Queue

SHOWN_MAX = 60


def _row(message: Message) -> dict[str, Any]:
    shown = payload.present(message.body)
    row: dict[str, Any] = {"index": f"0x{message.index:x}", "cycle": message.cycle,
                           "sequence": message.sequence, "position": message.position,
                           "length": len(message.body), "kind": shown.kind}
    if isinstance(shown.value, bytes):
        row["value"] = shown.value.hex()
    else:
        row["value"] = shown.value if isinstance(shown.value, str) else message.body.hex()
    return row


def _as_json(queue: Queue, findings: list[Any]) -> dict[str, Any]:
    return {"roll_cycle": queue.roll_cycle.name, "epoch": queue.epoch, "cycles": queue.cycles(),
            "first_index": queue.first_index(), "last_index": queue.last_index(),
            "count": queue.count(), "named_tailers": queue.named_tailers(),
            "messages": [_row(message) for message in queue.messages()],
            "findings": [vars(finding) for finding in findings]}


def _print(queue: Queue, findings: list[Any], quiet: bool) -> None:
    print(f"{queue.roll_cycle.name} epoch {queue.epoch}, cycles {queue.cycles()}, "
          f"{queue.count()} messages, first 0x{queue.first_index():x}, "
          f"last {queue.last_index():#x}")
    for tailer, position in queue.named_tailers().items():
        print(f"tailer {tailer} at 0x{position:x}")
    for message in () if quiet else queue.messages():
        row = _row(message)
        text = row["value"]
        if len(text) > SHOWN_MAX:
            text = text[:SHOWN_MAX] + "..."
        print(f"{row['index']} 0x{row['position']:x} {row['kind']} {row['length']} {text!r}")
    for finding in findings:
        print(finding)


def main(arguments: list[str] | None = None) -> int:
    """Returns 0 for a healthy queue, 1 with errors found, 2 when it cannot be read."""
    parser = argparse.ArgumentParser(prog="python -m tests.reference", description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quiet", action="store_true", help="no messages")
    parser.add_argument("--live", action="store_true", help="writers may be at work")
    options = parser.parse_args(arguments)
    findings = check_queue(options.directory, live=options.live)
    try:
        queue = Queue(options.directory)
        if options.json:
            json.dump(_as_json(queue, findings), sys.stdout, indent=1)
            print()
        else:
            _print(queue, findings, options.quiet)
    except FormatError as error:
        for finding in findings:
            print(finding)
        print(f"cannot be read: {error}", file=sys.stderr)
        return 2
    return 1 if any(finding.level == ERROR for finding in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
