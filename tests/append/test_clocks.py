"""The clock decides the cycle, and may be wrong, go back, raise or be interrupted."""

from __future__ import annotations

import tape

from tests.kit.clocks import SetClock
from tests.kit.queues import CYCLE


def test_a_clock_that_goes_back_leads_into_no_older_cycle(q: tape.Queue, clock: SetClock) -> None:
    """Messages never go into an older cycle than the newest."""
    a = q.appender()
    first = a.write(b"now")
    clock.ms -= 5000
    assert a.write(b"earlier, says the clock") == first + 1
    assert q.info().clock_went_back == 1 and q.info().highest_cycle == CYCLE
