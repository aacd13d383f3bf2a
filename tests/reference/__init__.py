"""A reference reader and checker of Chronicle Queue 5 directories, in the order of docs/format.md.

It is the oracle of the tests: slow, plain, standard library only, and it shares no code with
tape. ``Queue`` reads, ``check_queue`` verifies every invariant, ``writer`` makes odd queues.

    1, 7  roll_cycles     time, cycle numbers, names, index numbers
    2     header          the word in front of every document
    3     wire            binary wire
    4     cycle_file      the SCQStore header and the chain of documents
    5     table_store     metadata.cq4t
    6     index           from a sequence to a position
    9, 12 queue           directories, messages, counts
    13    payload         what bodies hold
"""

from .check import Finding, check_queue
from .errors import FormatError, NotReady
from .queue import Message, Queue

__all__ = ["Finding", "FormatError", "Message", "NotReady", "Queue", "check_queue"]
