package tape.peer;

import java.nio.charset.StandardCharsets;
import java.util.HexFormat;
import java.util.NoSuchElementException;

/** The words of one command, taken from left to right. */
final class Words {
    private final String line;
    private int position;

    Words(String line) {
        this.line = line;
    }

    boolean more() {
        return position < line.length();
    }

    String word() {
        if (!more())
            throw new NoSuchElementException("a word is missing: " + shortened());
        int space = line.indexOf(' ', position);
        int end = space < 0 ? line.length() : space;
        String word = line.substring(position, end);
        position = Math.min(line.length(), end + 1);
        return word;
    }

    /** Everything that is left, spaces included. */
    String rest() {
        String rest = line.substring(position);
        position = line.length();
        return rest;
    }

    String wordOr(String otherwise) {
        return more() ? word() : otherwise;
    }

    long number() {
        return Long.parseLong(word());
    }

    int integer() {
        return Integer.parseInt(word());
    }

    boolean flag() {
        String word = word();
        if (!word.equals("true") && !word.equals("false"))
            throw new IllegalArgumentException("neither true nor false: " + word);
        return word.equals("true");
    }

    /** Bytes as hex; {@code -} stands for none, since an empty word cannot be seen. */
    byte[] bytes() {
        String word = word();
        return word.equals("-") ? new byte[0] : HexFormat.of().parseHex(word);
    }

    String text() {
        return new String(bytes(), StandardCharsets.UTF_8);
    }

    static String hex(byte[] bytes) {
        return bytes.length == 0 ? "-" : HexFormat.of().formatHex(bytes);
    }

    static String hex(String text) {
        return hex(text.getBytes(StandardCharsets.UTF_8));
    }

    private String shortened() {
        return line.length() <= 200 ? line : line.substring(0, 200) + "...";
    }
}
