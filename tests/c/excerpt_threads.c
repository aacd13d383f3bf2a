/* Description: threads that share one mapping of one file: a writer publishes excerpts, readers
 * observe them and check every byte of every body. ThreadSanitizer must find nothing here; built
 * with TAPE_CANARY_RELAXED_PUBLISH it must find a race (the canary). */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>

#include "file/excerpt.h"
#include "helpers.h"

enum { EXCERPTS = 40000, READERS = 3, SIZE = 4 << 20 };

static uint8_t *memory;

static uint32_t length_of(int n) { return 8 + (uint32_t)(n * 7 % 61); }

static void body_of(int n, uint8_t *body)
{
    for (uint32_t i = 0; i < length_of(n); i++) body[i] = (uint8_t)(n + (int)i * 3);
}

static void *write_all(void *unused)
{
    uint64_t position = 0;
    for (int n = 0; n < EXCERPTS; n++) {
        uint8_t body[128];
        uint8_t *header = memory + position;
        uint32_t length = length_of(n);
        body_of(n, body);
        CHECK(tape__excerpt_reserve(header, length));
        tape__excerpt_fill(header, true, body, 4, body + 4, length - 4);
        CHECK(tape__excerpt_publish(header, length, 0));
        position = tape__word_next(position, length, true);
    }
    CHECK(tape__excerpt_seal(memory + position, 0));
    return unused;
}

static void *read_all(void *unused)
{
    uint64_t position = 0;
    for (int n = 0;;) {
        uint8_t wanted[128];
        uint32_t word = tape__excerpt_observe(memory + position, true);
        tape__word_kind_t kind = tape__word_kind(word);
        if (kind == TAPE__WORD_EOF) {
            CHECK_EQ(n, EXCERPTS);
            return unused;
        }
        if (kind != TAPE__WORD_DATA) continue; /* free, or being written */
        CHECK_EQ(tape__word_length(word), length_of(n));
        body_of(n, wanted);
        CHECK(memcmp(memory + position + 4, wanted, length_of(n)) == 0);
        position = tape__word_next(position, length_of(n), true);
        n++;
    }
}

int main(void)
{
    pthread_t threads[READERS + 1];
    int fd = open(t_path(t_directory(), "memory"), O_RDWR | O_CREAT, 0666);
    CHECK(fd >= 0 && ftruncate(fd, SIZE) == 0);
    memory = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(memory != MAP_FAILED);
    for (int i = 0; i < READERS; i++) CHECK(pthread_create(&threads[i], NULL, read_all, NULL) == 0);
    CHECK(pthread_create(&threads[READERS], NULL, write_all, NULL) == 0);
    for (int i = 0; i <= READERS; i++) pthread_join(threads[i], NULL);
    return 0;
}
