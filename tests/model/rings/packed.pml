// SPDX-License-Identifier: BSD-2-Clause
// A packed ring of two descriptors and REQUESTS requests of one descriptor each: publishing in bursts, observing, suppressing,
// arming and sleeping as in include/vfsproto/virtqueue/packed_driver.hpp and packed_device.hpp (docs/models.md ties the
// steps). A descriptor is two words, as there: an address, and length, id and flags together.
//
// Proved: a side that sleeps is woken when there is something for it (else: invalid end state); nobody reads a descriptor
// before it was written (assertions). Each NO_… takes one step away, and must be noticed.
// Forms: FLAGS, DESCRIPTOR_EVENTS
#define SIZE 2
#define LAPS (2 * SIZE)
#ifndef REQUESTS
#define REQUESTS 5
#endif

#define ADDRESS(n) ((n) % SIZE)
#define WORD(n) (SIZE + (n) % SIZE)
#define DRIVER_EVENT (2 * SIZE)
#define DEVICE_EVENT (2 * SIZE + 1)
#define REPLY(n) (2 * SIZE + 2 + (n) % SIZE) // what the device writes elsewhere for a request
#define WORDS (3 * SIZE + 2)
#include "weak_memory.pml"

// The wrap counter when the n-th descriptor is written; a word is a request's number, AVAIL and USED.
#define WRAP(n) (1 - ((n) / SIZE) % 2)
#define AVAILABLE(n) (((n) + 1) * 4 + WRAP(n) * 2 + (1 - WRAP(n)))
#define USED(n, request) ((request) * 4 + WRAP(n) * 3)
#define FLAGS_OF(word) ((word) % 4)
#define REQUEST_OF(word) ((word) / 4)
#define IS_AVAILABLE(word, n) (FLAGS_OF(word) == WRAP(n) * 2 + (1 - WRAP(n)))
#define IS_USED(word, n) (FLAGS_OF(word) == WRAP(n) * 3)

// What an event area says: enable, disable, or the place of a descriptor (offset and wrap counter: a number below LAPS).
#define ENABLE 0
#define DISABLE 1
#define AT_PLACE(n) (2 + (n) % LAPS)
#define IS_PLACE(event) ((event) >= 2)
// packed_event_due(): did a step over `count` that ended before the descriptor `next` pass the place?
#define PASSED(event, next, count) (((next) + 2 * LAPS - (event) + 2 - 1) % LAPS < (count))

bool kicked, interrupted; // the eventfds

#ifdef NO_PUBLISH_RELEASE
#define PUBLISH_RELEASE true
#else
#define PUBLISH_RELEASE FENCE(DRIVER)
#endif
#ifdef NO_KICK_FENCE
#define KICK_FENCE true
#else
#define KICK_FENCE FENCE(DRIVER)
#endif
#ifdef NO_ARM_FENCE
#define ARM_FENCE true
#else
#define ARM_FENCE FENCE(DRIVER)
#endif
#ifdef NO_ARM_LOOK
#define ARM_LOOK(word, n) false
#else
#define ARM_LOOK(word, n) IS_USED(word, n)
#endif
#ifdef NO_USED_RELEASE
#define USED_RELEASE true
#else
#define USED_RELEASE FENCE(DEVICE)
#endif
#ifdef NO_NOTIFY_FENCE
#define NOTIFY_FENCE true
#else
#define NOTIFY_FENCE FENCE(DEVICE)
#endif
#ifdef NO_KICKS_FENCE
#define KICKS_FENCE true
#else
#define KICKS_FENCE FENCE(DEVICE)
#endif
#ifdef NO_KICKS_LOOK
#define KICKS_LOOK(word, n) false
#else
#define KICKS_LOOK(word, n) IS_AVAILABLE(word, n)
#endif

proctype driver() {
    byte submitted, published, taken; // counts
    byte word, event;
    do
    :: taken == REQUESTS -> break
    :: submitted < REQUESTS && submitted - taken < SIZE -> // submit(): the first of a burst stays here
       if
       :: submitted == published
       :: else ->
          STORE(DRIVER, ADDRESS(submitted), submitted + 1);
          STORE(DRIVER, WORD(submitted), AVAILABLE(submitted))
       fi;
       submitted++
    :: submitted > published -> // kick(): the first descriptor last
       STORE(DRIVER, ADDRESS(published), published + 1);
       PUBLISH_RELEASE;
       STORE(DRIVER, WORD(published), AVAILABLE(published));
       KICK_FENCE;
       LOAD(DRIVER, DEVICE_EVENT, event);
       if
       :: IS_PLACE(event) && PASSED(event, submitted, submitted - published) -> kicked = true
       :: event == ENABLE -> kicked = true
       :: else
       fi;
       published = submitted;
       event = 0
    :: submitted == published && taken < published -> // poll(), then arm() and sleep
       LOAD(DRIVER, WORD(taken), word);
       if
       :: IS_USED(word, taken) ->
          if // disarm(), or not
          :: STORE(DRIVER, DRIVER_EVENT, DISABLE)
#ifdef DESCRIPTOR_EVENTS
          :: true
#endif
          fi;
          do
          :: taken < published && IS_USED(word, taken) ->
             LOAD(DRIVER, REPLY(taken), event);
             assert(REQUEST_OF(word) == taken + 1 && event == taken + 1);
             taken++;
             LOAD(DRIVER, WORD(taken), word)
          :: else -> break
          od
       :: else ->
#ifdef DESCRIPTOR_EVENTS
          if // arm(n): any number of what is out
          :: STORE(DRIVER, DRIVER_EVENT, AT_PLACE(taken))
          :: published - taken > 1 -> STORE(DRIVER, DRIVER_EVENT, AT_PLACE(taken + 1))
          fi;
#else
          STORE(DRIVER, DRIVER_EVENT, ENABLE);
#endif
          ARM_FENCE;
          LOAD(DRIVER, WORD(taken), word);
          if
          :: ARM_LOOK(word, taken)
          :: else -> atomic { interrupted -> interrupted = false } // the sleep
          fi
       fi;
       word = 0; event = 0
    od
}

proctype device() {
    byte popped, published, announced; // counts
    byte first;                        // the request whose used descriptor is the first of a burst
    byte word, event, body;
    do
    :: LOAD(DEVICE, WORD(popped), word);
       if
       :: IS_AVAILABLE(word, popped) -> // pop() and push(), in bursts of any size; the first stays here
          if // disarm(), or not
          :: STORE(DEVICE, DEVICE_EVENT, DISABLE)
#ifdef DESCRIPTOR_EVENTS
          :: true
#endif
          fi;
          LOAD(DEVICE, ADDRESS(popped), body);
          assert(REQUEST_OF(word) == popped + 1 && body == popped + 1);
          STORE(DEVICE, REPLY(popped), body);
          if
          :: popped == published -> first = body
          :: else -> STORE(DEVICE, WORD(popped), USED(popped, body))
          fi;
          popped++
       :: popped > published -> // publish(): the first used descriptor last
          USED_RELEASE;
          STORE(DEVICE, WORD(published), USED(published, first));
          published = popped;
          first = 0
       :: published > announced && popped == published -> // wants_notification()
          NOTIFY_FENCE;
          LOAD(DEVICE, DRIVER_EVENT, event);
          if
          :: IS_PLACE(event) && (published - announced > SIZE || PASSED(event, published, published - announced)) ->
             interrupted = true
          :: event == ENABLE -> interrupted = true
          :: else
          fi;
          announced = published
       :: !IS_AVAILABLE(word, popped) && announced == popped -> // arm() and sleep
#ifdef DESCRIPTOR_EVENTS
          STORE(DEVICE, DEVICE_EVENT, AT_PLACE(popped));
#else
          STORE(DEVICE, DEVICE_EVENT, ENABLE);
#endif
          KICKS_FENCE;
          LOAD(DEVICE, WORD(popped), word);
          if
          :: KICKS_LOOK(word, popped)
          :: else ->
end_asleep:  atomic { kicked -> kicked = false }
          fi
       fi;
       word = 0; event = 0; body = 0
    od
}

init {
    byte word = 0;
    atomic {
        do
        :: word < WORDS -> run lets_go(DRIVER, word); run lets_go(DEVICE, word); word++
        :: else -> break
        od;
        run driver();
        run device()
    }
}
