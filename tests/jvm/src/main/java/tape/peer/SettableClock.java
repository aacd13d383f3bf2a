package tape.peer;

import net.openhft.chronicle.core.time.TimeProvider;

/**
 * A clock that stands still until it is told otherwise, and may be told to go backwards,
 * which Chronicle's own SetTimeProvider refuses.
 */
final class SettableClock implements TimeProvider {
    private volatile long millis;

    SettableClock(long millis) {
        this.millis = millis;
    }

    void set(long millis) {
        this.millis = millis;
    }

    @Override
    public long currentTimeMillis() {
        return millis;
    }
}
