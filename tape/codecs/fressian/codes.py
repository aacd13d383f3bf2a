"""The numbers of the format: one name for each code, in the order of the bytes.

An object starts with one byte, its code; the code says what follows (docs/fressian.md).
"""

from __future__ import annotations

PRIORITY_CACHE_PACKED = 0x80   # ..9F: entries 0..31
STRUCT_CACHE_PACKED = 0xA0     # ..AF: entries 0..15
LONG_ARRAY = 0xB0
DOUBLE_ARRAY = 0xB1
BOOLEAN_ARRAY = 0xB2
INT_ARRAY = 0xB3
FLOAT_ARRAY = 0xB4
OBJECT_ARRAY = 0xB5
MAP = 0xC0
SET = 0xC1
UUID = 0xC3
REGEX = 0xC4
URI = 0xC5
BIGINT = 0xC6
BIGDEC = 0xC7
INST = 0xC8
SYM = 0xC9
KEY = 0xCA
GET_PRIORITY_CACHE = 0xCC
PUT_PRIORITY_CACHE = 0xCD
FOOTER = 0xCF
BYTES_PACKED = 0xD0            # ..D7: 0..7 bytes
BYTES_CHUNK = 0xD8
BYTES = 0xD9
STRING_PACKED = 0xDA           # ..E1: 0..7 bytes
STRING_CHUNK = 0xE2
STRING = 0xE3
LIST_PACKED = 0xE4             # ..EB: 0..7 elements
LIST = 0xEC
BEGIN_CLOSED_LIST = 0xED
BEGIN_OPEN_LIST = 0xEE
STRUCT_TYPE = 0xEF
STRUCT = 0xF0
TRUE = 0xF5
FALSE = 0xF6
NULL = 0xF7
INT = 0xF8
FLOAT = 0xF9
DOUBLE = 0xFA
DOUBLE_0 = 0xFB
DOUBLE_1 = 0xFC
END_COLLECTION = 0xFD
RESET_CACHES = 0xFE
INT_MINUS_1 = 0xFF

#: Tags with a code of their own: never written through ``STRUCT_TYPE``, but read so.
CODE_OF_TAG = {
    "long[]": LONG_ARRAY, "double[]": DOUBLE_ARRAY, "boolean[]": BOOLEAN_ARRAY,
    "int[]": INT_ARRAY, "float[]": FLOAT_ARRAY, "Object[]": OBJECT_ARRAY, "map": MAP,
    "set": SET, "uuid": UUID, "regex": REGEX, "uri": URI, "bigint": BIGINT,
    "bigdec": BIGDEC, "inst": INST, "sym": SYM, "key": KEY,
}

#: Tags that this codec reads itself although they have no code.
CLOJURE_TAGS = frozenset(("char", "ratio", "record", "byte"))

FOOTER_MAGIC = b"\xcf\xcf\xcf\xcf"
FOOTER_SIZE = 12
STRING_PART_MAX = 65536        # bytes of text in one part
BYTES_PART_MAX = 65535         # one less than for text: Java's writer does it so
COUNT_MAX = 2**31 - 1          # Java holds counts and indices in a signed 32-bit int
LONG_MIN, LONG_MAX = -2**63, 2**63 - 1
