package tape.peer;

import java.util.HashMap;
import java.util.Map;
import java.util.Set;

/** Command line of a live mode: one directory, then {@code --name value} or {@code --flag}. */
final class Options {
    private static final Set<String> FLAGS = Set.of("ack", "wait");

    private final Map<String, String> values = new HashMap<>();
    private String directory;

    Options(String[] args) {
        for (int i = 0; i < args.length; i++) {
            String arg = args[i];
            if (!arg.startsWith("--")) {
                if (directory != null)
                    throw new IllegalArgumentException("second directory: " + arg);
                directory = arg;
                continue;
            }
            String name = arg.substring(2);
            if (FLAGS.contains(name)) {
                values.put(name, "true");
            } else if (++i < args.length) {
                values.put(name, args[i]);
            } else {
                throw new IllegalArgumentException("no value for " + arg);
            }
        }
    }

    String directory() {
        if (directory == null)
            throw new IllegalArgumentException("no directory given");
        return directory;
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    String text(String name, String otherwise) {
        return values.getOrDefault(name, otherwise);
    }

    String required(String name) {
        if (!has(name))
            throw new IllegalArgumentException("--" + name + " is missing");
        return values.get(name);
    }

    long number(String name, long otherwise) {
        return has(name) ? Long.parseLong(values.get(name)) : otherwise;
    }

    double real(String name, double otherwise) {
        return has(name) ? Double.parseDouble(values.get(name)) : otherwise;
    }
}
