package tape.peer;

import net.openhft.chronicle.bytes.BytesStore;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.wire.DocumentContext;

/** An appender, and the document that it may be holding open. */
final class OpenAppender {
    private final OpenQueue queue;
    private final ExcerptAppender excerpts;
    private DocumentContext held;

    OpenAppender(OpenQueue queue) {
        this.queue = queue;
        this.excerpts = queue.queue().createAppender();
    }

    OpenQueue queue() {
        return queue;
    }

    ExcerptAppender excerpts() {
        return excerpts;
    }

    /** One message in tape's framing: what Clojure's tape does with an encoded value. */
    long append(byte[] payload) {
        return document(false, context ->
                context.wire().write().bytes(BytesStore.wrap(payload)));
    }

    /**
     * Writes one document. Without the rollback Chronicle would publish whatever an
     * exception left half-written.
     */
    long document(boolean metadata, Body body) {
        long index;
        try (DocumentContext context = excerpts.writingDocument(metadata)) {
            try {
                index = metadata ? -1 : context.index();
                body.write(context);
            } catch (Throwable e) {
                context.rollbackOnClose();
                throw e;
            }
        }
        return index;
    }

    /** Opens a document and leaves it open: the queue's write lock is held from now on. */
    long hold() {
        if (held != null)
            throw new IllegalStateException("a document is held already");
        held = excerpts.writingDocument();
        return held.index();
    }

    void fillHeld(byte[] payload) {
        holding().wire().write().bytes(BytesStore.wrap(payload));
    }

    void releaseHeld() {
        DocumentContext context = holding();
        held = null;
        context.close();
    }

    void rollbackHeld() {
        holding().rollbackOnClose();
        releaseHeld();
    }

    void close() {
        excerpts.close();
    }

    private DocumentContext holding() {
        if (held == null)
            throw new IllegalStateException("no document is held");
        return held;
    }

    /** Writes the body of a document. */
    @FunctionalInterface
    interface Body {
        void write(DocumentContext context);
    }
}
