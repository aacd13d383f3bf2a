/* atomics.c - what the processor at hand can do; see atomics.h. */
#include "base/atomics.h"

#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
#include <cpuid.h>

bool tape__atomics_have_pairs;

void tape__atomics_begin(void)
{
    unsigned a, b, c, d;
    tape__atomics_have_pairs = __get_cpuid(1, &a, &b, &c, &d) && (c & bit_CMPXCHG16B) != 0;
}
#endif
