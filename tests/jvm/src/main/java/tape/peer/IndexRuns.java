package tape.peer;

import java.util.ArrayList;
import java.util.List;

/** A growing list of indexes, told as runs of consecutive ones: {@code FIRST+COUNT}. */
final class IndexRuns {
    private final List<String> runs = new ArrayList<>();
    private long first;
    private long count;

    void add(long index) {
        if (count > 0 && index == first + count) {
            count++;
            return;
        }
        flush();
        first = index;
        count = 1;
    }

    List<String> all() {
        flush();
        count = 0;
        return runs;
    }

    private void flush() {
        if (count > 0)
            runs.add(first + "+" + count);
    }
}
