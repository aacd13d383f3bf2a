"""The steps of csrc at which victims of the kill loop die, and what brings a victim to each."""

from __future__ import annotations

from tests.kit.c_worker import sync_points

#: Steps that a writer takes once a second, around which these then write.
OF_A_ROLL = ("cycle_entered", "cycle_file_begun", "cycle_file_built", "cycle_file_due",
             "cycle_file_linked", "cycle_file_named", "end_marked", "ended_noted",
             "highest_listed", "listing_counted", "lowest_listed", "name_synced",
             "older_cycles_ended", "sealed")
#: The step of who was robbed in a roll, stood still until the others were in a later cycle, and
#: made its file all the same; and where it stood still.
OF_THE_LATE = {"late_file_removed": "cycle_file_due"}
#: Steps of opening.
OF_OPENING = ("directory_made", "end_looked_up", "side_file_opened", "slot_locked", "slot_marked",
              "slot_written")
OF_A_SYNC = ("file_synced", "name_synced", "sync_begun", "sync_ended")
#: Steps of making room, to which large messages come sooner.
OF_ROOM = ("blocks_reserved", "file_enlarged", "pages_brought_in")
#: Of these, that of a file that all have begun with small blocks: others are long enough.
OF_SMALL_BLOCKS = ("file_enlarged",)
#: Steps of who comes to a queue whose last writer is dead: and where that one died.
OF_MENDING = {"given_up": "header_reserved", "reservation_resized": "body_written",
              "holder_judged": "published", "room_reserved": "lock_taken",
              "room_cleaned": "lock_taken", "moved_aside": "lock_taken",
              "lock_taken_over": "indexed", "pair_mended": "published",
              "word_cleared": "lock_taken", "temporary_removed": "cycle_file_built"}
#: Steps of index pages, of which TEST_SECONDLY has one a cycle that is made with the file.
OF_A_PAGE = ("page_linked", "page_published", "page_reserved")
OF_A_TAILER: dict[str, dict[str, object]] = {
    "bell_armed": {"how": "bell"}, "cycle_read": {}, "key_added": {"name": "new"},
    "key_written": {"name": "new"}, "name_claimed": {"name": "new"}, "newer_looked_into": {},
    "tailer_at_end": {}, "theft_named": {"name": "prey", "steal": 1}, "wait_armed": {},
    "wait_looked": {}, "wait_looked_again": {}, "wait_slept": {}}
#: Where a writer holds the lock; and of these those that come once a second.
IN_LOCK = ("body_written", "entry_added", "header_reserved", "indexed", "lock_taken", "pair_set",
           "published", "used_raised")
IN_A_ROLL = ("cycle_entered", "cycle_file_built", "cycle_file_linked", "sealed")

_MADE = "the queue is made before anybody lives in it"
_LONGER = "times are noted in longer cycles; these have one second"
_REMOVED = "who lives here reads and writes; removing is of those who tidy up"
_MENDED = "a repair in place wants a queue in which nobody is at work"
#: Steps to which nobody comes in these rounds: why, and the test that kills there.
APART = {
    "table_begun": (_MADE, "tests/c/second_deaths.c"),
    "table_filled": (_MADE, "tests/c/second_deaths.c"),
    "table_linked": (_MADE, "tests/c/crash.c"),
    "table_written": (_MADE, "tests/c/crash.c"),
    "time_noted": (_LONGER, "tests/c/crash.c"),
    "cycle_forgotten": (_REMOVED, "tests/c/removal_deaths.c"),
    "cycle_removed": (_REMOVED, "tests/c/removal_deaths.c"),
    "repair_locked": (_MENDED, "tests/c/second_deaths.c"),
    "repair_table_renewed": (_MENDED, "tests/c/repair_beside_a_jvm.c"),
    "repair_copied": (_MENDED, "tests/c/second_deaths.c"),
    "repair_kept": (_MENDED, "tests/c/second_deaths.c"),
    "repair_mended": (_MENDED, "tests/c/second_deaths.c"),
    "repair_replaced": (_MENDED, "tests/c/second_deaths.c"),
    "repair_set_aside": (_MENDED, "tests/c/second_deaths.c"),
}


def points_of_rounds() -> list[str]:
    """All steps of writers and tailers: each of csrc but those apart."""
    return [point for point in sync_points() if point not in APART]
