package tape.peer;

import java.lang.reflect.Field;
import java.util.Map;

import net.openhft.chronicle.queue.impl.single.SingleChronicleQueue;
import net.openhft.chronicle.queue.impl.single.TableStoreWriteLock;

/**
 * The write lock and the append lock, without a document: {@code lock QUEUE},
 * {@code unlock QUEUE}, {@code lockedby QUEUE}, and the same with {@code append} in front.
 * The lock is taken as Chronicle's own appenders take it, waiting included.
 */
final class LockCommands {
    private final Session session;

    LockCommands(Session session) {
        this.session = session;
    }

    void register(Map<String, Command> commands) {
        register(commands, "", "writeLock");
        register(commands, "append", "appendLock");
    }

    private void register(Map<String, Command> commands, String prefix, String field) {
        commands.put(prefix + "lock", words -> {
            lock(words, field).lock();
            return Reply.ok();
        });
        commands.put(prefix + "unlock", words -> {
            lock(words, field).unlock();
            return Reply.ok();
        });
        commands.put(prefix + "forceunlock", words -> {
            lock(words, field).forceUnlock();
            return Reply.ok();
        });
        commands.put(prefix + "lockedby", words -> {
            long word = lock(words, field).lockedBy();
            return Reply.ok(word == TableStoreWriteLock.UNLOCKED ? "nobody" : word);
        });
    }

    private TableStoreWriteLock lock(Words words, String name) throws ReflectiveOperationException {
        SingleChronicleQueue queue = session.queue(words.word()).queue();
        // Chronicle shows the append lock only; the write lock is a private field.
        Field field = SingleChronicleQueue.class.getDeclaredField(name);
        field.setAccessible(true);
        return (TableStoreWriteLock) field.get(queue);
    }
}
