"""The README's example, and what it prints the first time. `examples/c/quickstart.c` is its twin
in C: they share the queue."""

import tape

with tape.open("orders") as q:                            # creates it: a file a day, Fressian
    i = q.appender().write({"foo": ["bar", {"baz": 0}]})  # the index: an int, as Java prints it
    t = q.tailer()
    print(list(t))                                        # [{'foo': ['bar', {'baz': 0}]}]
    t.seek(i)                                             # any index, as often as you like
    print(t.read(), t.read())                             # {'foo': ['bar', {'baz': 0}]} None
