"""The README's example. `examples/c/quickstart.c` is its twin in C: they share the queue."""

import tape

with tape.open("orders") as q:                 # creates it: FAST_DAILY, Fressian
    a = q.appender()
    i = a.write({"foo": ["bar", {"baz": 0}]})  # the index, an int, equal to what Java prints
    t = q.tailer()
    for message in t:                          # all that is there, then it stops
        print(message)
    print(t.read())                            # None: empty for now
    t.seek(i)                                  # any index, as often as you like
    print(list(t))
