"""What :meth:`tape.Queue.info` gathers."""

from __future__ import annotations

import os
import time
from typing import Any

from .info import QueueInfo

__all__ = ["queue_info"]


def _filesystem(path: str) -> str:
    """The kind of file system, as the system calls it, like ``"ext4"``; empty when unknown."""
    try:
        device = os.stat(path).st_dev
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
            for line in mounts:
                place, _, kind = line.partition(" - ")
                if place.split()[2] == f"{os.major(device)}:{os.minor(device)}":
                    return kind.split()[0]
    except (OSError, IndexError):
        pass
    return ""


def _or_none(number: int) -> int | None:
    return None if number < 0 else number


def queue_info(q: Any, i: Any, now: int | None) -> QueueInfo:
    """Facts about an open queue ``q``, beside ``i``, those that C has, at its clock's time."""
    files, words = q.cycles(), q.table()
    now = time.time_ns() // 1_000_000 if now is None else now
    row = q.roll_cycle
    return QueueInfo(
        path=q.path, filesystem=_filesystem(q.path), roll_cycle=row.name, epoch=q.epoch,
        source_id=q.source_id, block_size=i.block_size, index_count=row.index_count,
        index_spacing=row.index_spacing, buffered=False,
        delta_checkpoint_interval=_or_none(i.delta_checkpoint_interval),
        codec=q.codec.name, durability="os", read_only=q.read_only, closed=q.closed,
        first_index=q.first_index, last_index=q.last_index,
        messages=sum(f.count for f in files), tailers=q.tailers(), files=len(files),
        bytes=sum(f.bytes for f in files), bytes_on_disk=sum(f.bytes_on_disk for f in files),
        data_formats=tuple(sorted({f.data_format for f in files})),
        cycle=(now - q._effective_epoch()) // row.length_ms,
        lowest_cycle=_or_none(i.lowest_cycle), highest_cycle=_or_none(i.highest_cycle),
        last_index_replicated=_or_none(words.get("chronicle.lastIndexReplicated", -1)),
        last_acknowledged_index_replicated=_or_none(
            words.get("chronicle.lastAcknowledgedIndexReplicated", -1)),
        listing_mod_count=i.listing_mod_count, lock_holder=i.lock_holder_pid or None,
        lock_acquired=i.lock_acquired, lock_contended=i.lock_contended,
        lock_broken=i.lock_broken, lock_lost=i.lock_lost, repairs=i.repairs, rolls=i.rolls,
        clock_went_back=i.clock_went_back, files_lost=i.files_lost)
