"""What :meth:`tape.Queue.info` and :meth:`tape.Queue.cycles` gather."""

from __future__ import annotations

import os
import time
from typing import Any

from ._ffi import ffi, lib
from ._note import noted
from .info import CycleFile, QueueInfo

__all__ = ["cycles_of", "queue_info"]

_STATES = {lib.TAPE_CYCLE_OPEN: "open", lib.TAPE_CYCLE_FINISHED: "finished",
           lib.TAPE_CYCLE_HALF_MADE: "half-made"}


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
    return _filesystem_by_number(path)


# statfs(2): f_type
_KINDS = {0xEF53: "ext4", 0x01021994: "tmpfs", 0x794C7630: "overlay", 0x58465342: "xfs",
          0x9123683E: "btrfs", 0x2FC12FC1: "zfs", 0xF2F52010: "f2fs", 0x858458F6: "ramfs",
          0x6969: "nfs", 0xFF534D42: "cifs", 0xFE534D42: "smb2", 0x65735546: "fuse",
          0x01021997: "9p", 0x4D44: "vfat", 0x2011BAB0: "exfat", 0xCA451A4E: "bcachefs"}


def _filesystem_by_number(path: str) -> str:
    """The same where no mount is to be seen, as in a chroot; a number for one that is not known."""
    try:
        import ctypes
        facts = (ctypes.c_long * 32)()  # struct statfs has 120 bytes on 64-bit systems
        if ctypes.CDLL(None).statfs(os.fsencode(path), facts) != 0:
            return ""
    except (ImportError, AttributeError, OSError):
        return ""
    number = facts[0] & 0xFFFFFFFF
    return _KINDS.get(number, f"{number:#x}")


def _or_none(number: int) -> int | None:
    return None if number < 0 else number


def queue_info(q: Any, i: Any, now: int | None) -> QueueInfo:
    """Facts about an open queue ``q``, beside ``i``, those that C has, at its clock's time."""
    files, words = q.cycles(), q.table()
    now = time.time_ns() // 1_000_000 if now is None else now
    row, (framing, made_with) = q.roll_cycle, noted(q.path) or (None, None)
    return QueueInfo(
        path=q.path, filesystem=_filesystem(q.path), roll_cycle=row.name, epoch=q.epoch,
        source_id=q.source_id, block_size=i.block_size, index_count=row.index_count,
        index_spacing=row.index_spacing, buffered=False,
        delta_checkpoint_interval=_or_none(i.delta_checkpoint_interval),
        codec=q.codec.name, durability=q.durability, read_only=q.read_only, closed=q.closed,
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
        clock_went_back=i.clock_went_back, files_lost=i.files_lost, syncs=i.syncs,
        made_with=made_with, made_framing=framing)


def cycles_of(q: Any, handle: Any) -> list[CycleFile]:
    """The cycle files of a queue, oldest first."""
    from .retention import cycle_files
    found = []
    paths = {file.cycle: file.path for file in reversed(cycle_files(q))}
    for cycle, path in paths.items():  # of several of one cycle, the first by name
        info = ffi.new("tape_cycle_info_t *")
        code = lib.tape_queue_cycle_info(handle, cycle, info)
        if code == lib.TAPE_ENOTFOUND:
            continue  # deleted meanwhile
        q._check(code)
        state = "compressed" if info.compressed else _STATES[info.state]
        found.append(CycleFile(path, cycle, info.first_index, info.count, info.bytes,
                               info.bytes_on_disk, state, info.data_format))
    return sorted(found, key=lambda c: c.cycle)
