package tape.peer;

import java.util.List;

/**
 * What a command answers.
 *
 * <p>On the wire: {@code ok TEXT}, or {@code lines N} followed by N lines, or
 * {@code err CLASS MESSAGE}. The first word alone tells how much to read, so the driver
 * never has to know which command it is reading for.
 */
final class Reply {
    private final StringBuilder text;

    private Reply(StringBuilder text) {
        this.text = text;
    }

    static Reply ok(Object... words) {
        StringBuilder line = new StringBuilder("ok");
        for (Object word : words)
            line.append(' ').append(word);
        return new Reply(line.append('\n'));
    }

    static Reply lines(List<String> lines) {
        StringBuilder all = new StringBuilder("lines ").append(lines.size()).append('\n');
        for (String line : lines)
            all.append(line).append('\n');
        return new Reply(all);
    }

    static Reply error(Throwable e) {
        return new Reply(new StringBuilder("err ").append(describe(e)).append('\n'));
    }

    /** Class and message of a throwable and of its causes, on one line. */
    static String describe(Throwable e) {
        StringBuilder line = new StringBuilder(e.getClass().getName());
        line.append(' ').append(e.getMessage());
        for (Throwable cause = e.getCause(); cause != null; cause = cause.getCause())
            line.append(" | caused by ").append(cause.getClass().getName())
                    .append(' ').append(cause.getMessage());
        return line.toString().replace('\n', ' ').replace('\r', ' ');
    }

    @Override
    public String toString() {
        return text.toString();
    }
}
