package tape.peer;

import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.NoSuchElementException;

import net.openhft.chronicle.queue.ExcerptTailer;

/** What the driver has open, under the names that it chose. */
final class Session {
    private final Map<String, OpenQueue> queues = new LinkedHashMap<>();
    private final Map<String, OpenAppender> appenders = new HashMap<>();
    private final Map<String, OpenTailer> tailers = new HashMap<>();

    /** A tailer and the queue that it reads: its roll cycle is needed to take indexes apart. */
    record OpenTailer(OpenQueue queue, ExcerptTailer excerpts) {
    }

    OpenQueue queue(String name) {
        return known(queues, name, "queue");
    }

    OpenAppender appender(String name) {
        return known(appenders, name, "appender");
    }

    OpenTailer tailer(String name) {
        return known(tailers, name, "tailer");
    }

    void add(String name, OpenQueue queue) {
        unused(queues, name);
        queues.put(name, queue);
    }

    void add(String name, OpenAppender appender) {
        unused(appenders, name);
        appenders.put(name, appender);
    }

    void add(String name, OpenTailer tailer) {
        unused(tailers, name);
        tailers.put(name, tailer);
    }

    void closeQueue(String name) {
        OpenQueue queue = queue(name);
        // Chronicle closes them with the queue: their names become free again.
        appenders.values().removeIf(a -> a.queue() == queue);
        tailers.values().removeIf(t -> t.queue() == queue);
        queues.remove(name).close();
    }

    void closeAppender(String name) {
        appender(name).close();
        appenders.remove(name);
    }

    void closeTailer(String name) {
        tailer(name).excerpts().close();
        tailers.remove(name);
    }

    void close() {
        queues.values().forEach(OpenQueue::close);
    }

    private static <T> T known(Map<String, T> map, String name, String what) {
        T found = map.get(name);
        if (found == null)
            throw new NoSuchElementException("no " + what + " is open under the name " + name);
        return found;
    }

    /** A name must not be taken twice: the first thing would stay open unseen. */
    private static void unused(Map<String, ?> map, String name) {
        if (map.containsKey(name))
            throw new IllegalStateException("the name is taken: " + name);
    }
}
