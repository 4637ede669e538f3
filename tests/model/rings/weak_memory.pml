// SPDX-License-Identifier: BSD-2-Clause
// Memory as two CPUs see it that reorder stores: what a side stores is seen at once by itself, and by the other side some
// time later, in any order, unless a fence stands between. Loads are in program order (each load that another depends on is
// an acquire in the code). A word has one writer at a time.
//
// Before this: WORDS, the number of shared words. The two sides are:
#define DRIVER 0
#define DEVICE 1

byte memory[WORDS];
byte buffer[2 * WORDS];
bool buffered[2 * WORDS];
byte unseen[2]; // stores of a side that only itself sees

#define AT(side, word) ((side) * WORDS + (word))
#define LOAD(side, word, to) to = (buffered[AT(side, word)] -> buffer[AT(side, word)] : memory[word])
#define STORE(side, word, value) \
    d_step { \
        if \
        :: !buffered[AT(side, word)] -> unseen[side]++; buffered[AT(side, word)] = true \
        :: else \
        fi; \
        buffer[AT(side, word)] = value \
    }
// Everything stored before is seen before whatever follows: full_fence(), and the first half of store_release().
#define FENCE(side) (unseen[side] == 0)

// One of these for each side and word lets go of its store when it likes.
proctype lets_go(byte side; byte word) {
end:
    do
    :: d_step {
           buffered[AT(side, word)] ->
           memory[word] = buffer[AT(side, word)];
           buffered[AT(side, word)] = false;
           buffer[AT(side, word)] = 0;
           unseen[side]--
       }
    od
}
