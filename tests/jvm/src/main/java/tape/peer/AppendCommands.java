package tape.peer;

import java.util.Arrays;
import java.util.Map;

import net.openhft.chronicle.bytes.BytesStore;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.wire.Wire;

/** Appenders: every way in which a Java program puts a document into a queue. */
final class AppendCommands {
    private final Session session;

    AppendCommands(Session session) {
        this.session = session;
    }

    void register(Map<String, Command> commands) {
        commands.put("appender", words -> {
            String name = words.word();
            session.add(name, new OpenAppender(session.queue(words.word())));
            return Reply.ok();
        });
        commands.put("closeappender", words -> {
            session.closeAppender(words.word());
            return Reply.ok();
        });
        commands.put("append", words -> Reply.ok(appender(words).append(words.bytes())));
        commands.put("appendmany", this::appendMany);
        commands.put("writebytes", this::writeBytes);
        commands.put("writetext", this::writeText);
        commands.put("writedocument", this::writeDocument);
        commands.put("writemeta", this::writeMeta);
        commands.put("methodcall", this::methodCall);
        commands.put("forwardcall", this::forwardCall);
        commands.put("appendercycle", words -> Reply.ok(appender(words).excerpts().cycle()));
        commands.put("lastappended", words ->
                Reply.ok(appender(words).excerpts().lastIndexAppended()));
        commands.put("normalise", words -> {
            appender(words).excerpts().normaliseEOFs();
            return Reply.ok();
        });
        commands.put("hold", words -> Reply.ok(appender(words).hold()));
        commands.put("fillheld", words -> {
            appender(words).fillHeld(words.bytes());
            return Reply.ok();
        });
        commands.put("releasehold", words -> {
            appender(words).releaseHeld();
            return Reply.ok();
        });
        commands.put("rollback", words -> {
            appender(words).rollbackHeld();
            return Reply.ok();
        });
    }

    private OpenAppender appender(Words words) {
        return session.appender(words.word());
    }

    /** {@code appendmany A COUNT SIZE[,SIZE...] SEED [FROM]}; the sizes are taken in turn. */
    private Reply appendMany(Words words) {
        OpenAppender appender = appender(words);
        int count = words.integer();
        int[] sizes = Arrays.stream(words.word().split(",")).mapToInt(Integer::parseInt).toArray();
        int seed = (int) words.number();
        int from = Integer.parseInt(words.wordOr("0"));
        IndexRuns indexes = new IndexRuns();
        for (int n = from; n < from + count; n++)
            indexes.add(appender.append(Payload.of(seed, n, sizes[n % sizes.length])));
        return Reply.lines(indexes.all());
    }

    private Reply writeBytes(Words words) {
        ExcerptAppender excerpts = appender(words).excerpts();
        BytesStore<?, ?> body = BytesStore.wrap(words.bytes());
        excerpts.writeBytes(body);
        return Reply.ok(excerpts.lastIndexAppended());
    }

    /** {@code writetext A HEX}, or {@code writetext A null}. */
    private Reply writeText(Words words) {
        ExcerptAppender excerpts = appender(words).excerpts();
        String word = words.word();
        excerpts.writeText(word.equals("null") ? null : new Words(word).text());
        return Reply.ok(excerpts.lastIndexAppended());
    }

    /** {@code writedocument A KEY TYPE VALUE ...}: one document with these fields. */
    private Reply writeDocument(Words words) {
        return Reply.ok(appender(words).document(false, context -> {
            while (words.more())
                writeField(context.wire(), words.word(), words.word(), words);
        }));
    }

    private static void writeField(Wire wire, String key, String type, Words words) {
        switch (type) {
            case "text" -> wire.write(key).text(words.text());
            case "int64" -> wire.write(key).int64(words.number());
            case "int32" -> wire.write(key).int32(words.integer());
            case "float64" -> wire.write(key).float64(Double.parseDouble(words.word()));
            case "bool" -> wire.write(key).bool(words.flag());
            case "bytes" -> wire.write(key).bytes(words.bytes());
            default -> throw new IllegalArgumentException("no such type of field: " + type);
        }
    }

    /** A metadata document of ours: readers of data must walk over it. */
    private Reply writeMeta(Words words) {
        OpenAppender appender = appender(words);
        byte[] payload = words.bytes();
        appender.document(true, context ->
                context.wire().write("meta").bytes(BytesStore.wrap(payload)));
        return Reply.ok();
    }

    /**
     * {@code methodcall A METHOD ARGUMENTS}: one of the methods of {@link Calls}. A call does
     * not move lastIndexAppended (5.27ea5), so the index is the last one of the queue.
     */
    private Reply methodCall(Words words) {
        OpenAppender appender = appender(words);
        Calls calls = appender.excerpts().methodWriter(Calls.class);
        String method = words.word();
        switch (method) {
            case "say" -> calls.say(words.text());
            case "move" ->
                calls.move(words.number(), Double.parseDouble(words.word()), words.text());
            case "ping" -> calls.ping();
            default -> throw new IllegalArgumentException("no such method: " + method);
        }
        return Reply.ok(appender.queue().queue().lastIndex());
    }

    /**
     * {@code forwardcall A T}: reads the next call from tailer T and writes it to A. This is how
     * a message gets a history with sources: that of T's queue is added.
     */
    private Reply forwardCall(Words words) {
        OpenAppender appender = appender(words);
        Calls calls = appender.excerpts().methodWriter(Calls.class);
        // Not closed: closing a method reader closes the tailer that it reads from.
        boolean read = session.tailer(words.word()).excerpts().methodReader(calls).readOne();
        return Reply.ok(read ? appender.queue().queue().lastIndex() : "absent");
    }
}
