package tape.peer;

/**
 * Payloads that both sides can compute: the two little-endian 32-bit words {@code n} and
 * {@code seed}, repeated and cut to size. Cheap, and different for every message.
 */
final class Payload {
    private Payload() {
    }

    static byte[] of(int seed, int n, int size) {
        byte[] payload = new byte[size];
        for (int i = 0; i < Math.min(8, size); i++)
            payload[i] = (byte) ((i < 4 ? n : seed) >>> (8 * (i & 3)));
        for (int filled = 8; filled < size; filled *= 2)
            System.arraycopy(payload, 0, payload, filled, Math.min(filled, size - filled));
        return payload;
    }
}
