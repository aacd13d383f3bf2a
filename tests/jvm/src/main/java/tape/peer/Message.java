package tape.peer;

import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.wire.DocumentContext;

/**
 * One document as a tailer saw it.
 *
 * @param index its index; for metadata the index of the data document that follows
 * @param kind  {@code tape} when its body is exactly one {@code write().bytes(..)}, else
 *              {@code data} or {@code meta}
 * @param bytes the payload of a tape message, else the raw body
 */
record Message(long index, String kind, byte[] bytes) {
    /** The next document, or null when there is none now. */
    static Message next(ExcerptTailer tailer, boolean withMetadata) {
        try (DocumentContext context = tailer.readingDocument(withMetadata)) {
            if (!context.isPresent())
                return null;
            long index = context.index();
            Bytes<?> body = context.wire().bytes();
            if (context.isMetaData())
                return new Message(index, "meta", copy(body));
            // The recogniser is ours, the reading is Chronicle's: it is the judge here.
            if (isTape(body))
                return new Message(index, "tape", context.wire().read().bytes());
            return new Message(index, "data", copy(body));
        }
    }

    static boolean isTape(Bytes<?> body) {
        long at = body.readPosition();
        long length = body.readRemaining();
        if (length < 4 || body.readUnsignedByte(at) != 0xC0)
            return false;
        int width = switch (body.readUnsignedByte(at + 1)) {
            case 0x80 -> 1;
            case 0x81 -> 2;
            case 0x82 -> 4;
            default -> 0;
        };
        if (width == 0 || length < 3 + width)
            return false;
        long inner = 0;
        for (int i = 0; i < width; i++)
            inner |= (long) body.readUnsignedByte(at + 2 + i) << (8 * i);
        return inner == length - 2 - width && body.readUnsignedByte(at + 2 + width) == 0x8A;
    }

    private static byte[] copy(Bytes<?> body) {
        return body.toByteArray();
    }

    @Override
    public String toString() {
        return index + " " + kind + " " + Words.hex(bytes);
    }
}
