"""Small bad trees, one for each check of ``tests/kit/tidy.py``, and the same trees mended."""

from __future__ import annotations

from typing import Any

_DOC = '"""A module."""\n'
_BODY = "    x = 1\n"

PLANTED: dict[str, dict[str, Any]] = {
    "long_lines": {
        "bad": {"bench/a.py": _DOC + "x = " + "1" * 97 + "\n", "csrc/a.c": "/* a.c - */\n",
                "tests/golden/a.py": "#" * 200 + "\n"},
        "finds": ["bench/a.py:2: 101 columns"],
        "good": {"bench/a.py": _DOC + "x = " + "1" * 96 + "\n"},
    },
    "long_functions_of_python": {
        "bad": {"tape/a.py": _DOC + "class A:\n    def f(self):\n" + "    " + _BODY * 1
                + "        x = 1\n" * 75},
        "finds": ["tape/a.py: f: 77 lines"],
        "good": {"tape/a.py": _DOC + "def f():\n    '''" + "doc\n" * 90 + "    '''\n" + _BODY * 74},
    },
    "long_functions_of_c": {
        "bad": {"csrc/a.c": "/* a.c - */\nint f(void)\n{\n" + "    x();\n" * 75 + "}\n",
                "tape/codecs/b.c": "/* b.c - */\nstatic int g(int a,\n    int b)\n{\n"
                + "    x();\n" * 80 + "}\n"},
        "finds": ["csrc/a.c: f: 76 lines", "tape/codecs/b.c: g: 81 lines"],
        "good": {"csrc/a.c": "/* a.c - */\nint f(void)\n{\n" + "    x();\n" * 74 + "}\n"},
    },
    "long_files": {
        "bad": {"tests/c/a.c": "/* a.c - */\n" + "int x;\n" * 550},
        "finds": ["tests/c/a.c: 551 lines"],
        "good": {"tests/c/a.c": "/* a.c - */\n" + "int x;\n" * 549},
    },
    "nameless_files": {
        "bad": {"csrc/a.c": "/* b.c - another */\n", "tests/c/t.c": "#include <stdio.h>\n",
                "bench/p.py": "x = 1\n", "tests/__init__.py": ""},
        "finds": ["csrc/a.c: does not open with '/* a.c - '",
                  "tests/c/t.c: does not open with '/* '", "bench/p.py: has no docstring"],
        "good": {"csrc/a.c": "/* a.c - this */\n", "tests/c/t.c": "/* Description: */\n",
                 "bench/p.py": _DOC},
    },
    "unused_imports": {
        "bad": {"tape/a.py": _DOC + "import os\nfrom re import sub as s, match\nmatch\n"},
        "finds": ["tape/a.py:2: os is not used", "tape/a.py:3: s is not used"],
        "good": {"tape/a.py": _DOC + "import os\nfrom x import y  # noqa: F401\nos\n",
                 "tape/__init__.py": _DOC + "from .a import b\n"},
    },
    "unused_names": {
        "bad": {"tape/a.py": _DOC + "def public():\n    pass\n\ndef _private():\n    pass\n",
                "tests/kit/b.py": _DOC + "LIMIT = 5\n\nclass Helper:\n    def act(self):\n"
                "        pass\n\nHelper\n"},
        "finds": ["tape/a.py: _private is not used", "tests/kit/b.py: LIMIT is not used",
                  "tests/kit/b.py: act is not used"],
        "good": {"tape/a.py": _DOC + "@ffi.def_extern()\ndef _called_by_c():\n    pass\n",
                 "tests/test_a.py": _DOC + "def test_x():\n    pass\n"},
    },
    "unused_modules": {
        "bad": {"tape/lonely.py": _DOC, "csrc/lonely.h": "/* lonely.h - */\n"},
        "finds": ["tape/lonely.py: nobody imports it", "csrc/lonely.h: nobody includes it"],
        "good": {"tape/used.py": _DOC, "tape/other.py": _DOC + "from . import used, other\n",
                 "csrc/used.h": "", "csrc/a.c": '#include "used.h"\n'},
    },
    "unused_functions_of_c": {
        "bad": {"csrc/a.c": "int tape__a(int b,\n    int c)\n{\n}\n",
                "csrc/a.h": "int tape__a(int b,\n    int c);\n/* tape__a() is told of */\n"},
        "finds": ["csrc/a.c: nobody calls tape__a()"],
        "good": {"csrc/a.c": "int tape__a(int b)\n{\n}\n",
                 "csrc/a.h": "int tape__a(int b);\nstatic inline int c(void)\n{\n"
                 "    return tape__a(1);\n}\n"},
    },
    "unused_fields": {
        "bad": {"csrc/a.h": "typedef struct {\n    int told, never; /* never is spoken of */\n"
                "    char *written;\n    int pad[3];\n} a_t;\n",
                "csrc/a.c": "void f(a_t *a)\n{\n    a->written = a->told;\n}\n"},
        "finds": ["csrc/a.h: nobody reads field never", "csrc/a.h: nobody reads field written"],
        "good": {"csrc/tape.h": "typedef struct {\n    int seen;\n} a_t;\n",
                 "tape/a.py": _DOC + "out.seen\n"},
    },
    "names_without_their_module": {
        "bad": {"csrc/file/store.h": "int tape__store_open(int a,\n    int b);\n"
                "int tape__chain_end(int a);\n"
                "static inline int tape__bad(int a)\n{\n    return a;\n}\n",
                "csrc/file/chain.c": "int tape__chain_end(int a)\n{\n}\n"
                "int tape__store_open(int a,\n    int b)\n{\n}\n"
                "int tape__chained(int a)\n{\n}\n",
                "csrc/base/bytes.h": "static inline int tape__get(int a)\n{\n}\n"},
        "finds": ["csrc/file/chain.c: tape__chained does not begin with its module",
                  "csrc/file/store.h: tape__bad does not begin with its module"],
        "good": {"csrc/file/store.h": "static inline int tape__store_bad(int a)\n{\n}\n",
                 "csrc/file/directory_listing.c": "int tape__listing_add(int a)\n{\n}\n"},
    },
    "namesakes": {
        "bad": {"csrc/tape.h": "int tape_tailer_seek(int a);\n/* tape_told(a) */\n",
                "csrc/read/tailer.c": "int tape__tailer_seek(int a)\n{\n}\n"
                "int tape__told(int a)\n{\n}\n"},
        "finds": ["csrc/read/tailer.c: tape__tailer_seek is the namesake of a public function"],
        "good": {"csrc/tape.h": "int tape_tailer_seek(int a);\n",
                 "csrc/read/tailer.c": "int tape_tailer_seek(int a)\n{\n}\n"
                 "int tape__tailer_move(int a)\n{\n}\n"},
    },
    "outcomes_in_numbers": {
        "bad": {"csrc/read/a.c": "/* Whether it is there: 1, 0 when\n * it is not, or a code. */\n"
                "int f(void)\n{\n    if (rc == 1) g();\n}\n",
                "csrc/tape.h": "/* 1, 0 or a code. */\n"},
        "finds": ["csrc/read/a.c:1: /* Whether it is there: 1, 0 when it is not, or a code. */",
                  "csrc/read/a.c:5: if (rc == 1) g();"],
        "good": {"csrc/read/a.c": "/* Whether it is there: an answer. 1.0 is a version; 0 at the,\n"
                 " * then it is a code. */\nint f(void)\n{\n    if (rc == TAPE__YES) g();\n}\n"},
    },
    "tests_that_import_tests": {
        "bad": {"tests/a/test_b.py": _DOC + "from tests.a.test_c import helper\n"},
        "finds": ["tests/a/test_b.py:2: from tests.a.test_c import helper"],
        "good": {"tests/a/test_b.py": _DOC + "from tests.kit import helper\n"},
    },
    "names_that_state_nothing": {
        "bad": {"tests/a/test_b.py": _DOC + "def test_rolling():\n    pass\n\n\n"
                "def test_after_fork():\n    pass\n"},
        "finds": ["tests/a/test_b.py:2: test_rolling", "tests/a/test_b.py:6: test_after_fork"],
        "good": {"tests/a/test_b.py": _DOC + "def test_a_reader_passes_an_empty_cycle():\n"
                 "    pass\n"},
    },
}
