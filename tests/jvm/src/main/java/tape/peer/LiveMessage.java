package tape.peer;

import java.util.Arrays;

/**
 * The messages of the live modes: the Fressian bytes of the vector {@code [id n "padding"]},
 * the same bytes that data.fressian makes, but made and taken apart by hand, since
 * data.fressian would be the slowest part of a live run.
 *
 * <p>The padding is one letter, {@code 'a' + n % 26}, so that a torn message shows; its
 * length is {@code min + n * 7919 % (max - min + 1)}, so that lengths vary and the driver
 * can compute them.
 */
final class LiveMessage {
    private static final int LIST_OF_3 = 0xE7;
    private static final int SHORT_STRING = 0xDA;
    private static final int STRING_PART = 0xE2;
    private static final int STRING = 0xE3;
    private static final int PART_LIMIT = 65536;

    private byte[] buffer = new byte[256];
    private int length;

    // What parse() found.
    int id;
    int n;

    byte[] buffer() {
        return buffer;
    }

    int length() {
        return length;
    }

    void encode(int id, int n, int paddingLength) {
        ensure(32 + paddingLength + 8 * (paddingLength / PART_LIMIT + 1));
        length = 0;
        put(LIST_OF_3);
        putInteger(id);
        putInteger(n);
        int left = paddingLength;
        for (; left > PART_LIMIT; left -= PART_LIMIT) {
            put(STRING_PART);
            putInteger(PART_LIMIT);
            putLetters(n, PART_LIMIT);
        }
        if (left < 8) {
            put(SHORT_STRING + left);
        } else {
            put(STRING);
            putInteger(left);
        }
        putLetters(n, left);
    }

    static int paddingLength(int n, int min, int max) {
        return min + (int) (n * 7919L % (max - min + 1));
    }

    /** The buffer, made large enough for that many bytes; the caller then fills it. */
    byte[] room(int bytes) {
        ensure(bytes);
        length = bytes;
        return buffer;
    }

    private int at;

    /** True if the buffer is one message, whole and untorn; then id and n are set. */
    boolean parse() {
        at = 0;
        if (length < 4 || next() != LIST_OF_3)
            return false;
        id = (int) nextInteger();
        n = (int) nextInteger();
        for (boolean last = false; !last; ) {
            int code = at < length ? next() : -1;
            last = code != STRING_PART;
            long part = code >= SHORT_STRING && code < SHORT_STRING + 8 ? code - SHORT_STRING
                    : code == STRING || code == STRING_PART ? nextInteger() : -1;
            if (part < 0 || part > length - at)
                return false;
            byte letter = letter(n);
            for (int end = at + (int) part; at < end; at++)
                if (buffer[at] != letter)
                    return false;
        }
        return at == length;
    }

    private static byte letter(int n) {
        return (byte) ('a' + n % 26);
    }

    private void ensure(int size) {
        if (buffer.length < size)
            buffer = Arrays.copyOf(buffer, Math.max(size, buffer.length * 2));
    }

    private void put(int b) {
        buffer[length++] = (byte) b;
    }

    private void putLetters(int n, int count) {
        Arrays.fill(buffer, length, length + count, letter(n));
        length += count;
    }

    /** Fressian's packed integers, as far as a non-negative int needs them. */
    private void putInteger(int v) {
        int width;
        if (v < 1 << 6) {
            put(v);
            return;
        } else if (v < 1 << 12) {
            put(0x50 + (v >> 8));
            width = 1;
        } else if (v < 1 << 19) {
            put(0x68 + (v >> 16));
            width = 2;
        } else if (v < 1 << 25) {
            put(0x72 + (v >> 24));
            width = 3;
        } else {
            put(0x76);
            width = 4;
        }
        while (width-- > 0)
            put(v >> (8 * width));
    }

    private int next() {
        return buffer[at++] & 0xFF;
    }

    /** A packed integer, or -1 for one that no message of ours holds. */
    private long nextInteger() {
        if (at >= length)
            return -1;
        int code = next();
        if (code < 0x40)
            return code;
        int width;
        long v;
        if (code >= 0x50 && code < 0x60) {
            v = code - 0x50;
            width = 1;
        } else if (code >= 0x68 && code < 0x70) {
            v = code - 0x68;
            width = 2;
        } else if (code >= 0x72 && code < 0x74) {
            v = code - 0x72;
            width = 3;
        } else if (code >= 0x76 && code < 0x78) {
            v = code - 0x76;
            width = 4;
        } else {
            return -1;
        }
        if (length - at < width)
            return -1;
        while (width-- > 0)
            v = v << 8 | next();
        return v;
    }
}
