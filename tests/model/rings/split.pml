// SPDX-License-Identifier: BSD-2-Clause
// A split ring of two entries and REQUESTS requests: publishing, observing, suppressing, arming and sleeping as in
// include/vfsproto/virtqueue/split_driver.hpp and split_device.hpp (docs/models.md ties the steps). Indices run modulo twice
// the ring's size, as they do on a ring of 32768.
//
// Proved: a side that sleeps is woken when there is something for it (else: invalid end state); the device reads no
// descriptor, the driver no used entry, before it was written (assertions). Each NO_… takes one step away, and must be
// noticed.
// Forms: FLAGS, EVENT_INDEX
#define SIZE 2
#define MODULUS 4
#ifndef REQUESTS
#define REQUESTS 5
#endif

#define DESCRIPTOR(n) ((n) % SIZE)
#define USED(n) (SIZE + (n) % SIZE)
#define AVAIL_INDEX (2 * SIZE)
#define USED_INDEX (2 * SIZE + 1)
#define WANTS_KICK (2 * SIZE + 2)      // used.flags, or avail_event
#define WANTS_INTERRUPT (2 * SIZE + 3) // avail.flags, or used_event
#define WORDS (2 * SIZE + 4)
#include "weak_memory.pml"

#define INDEX(n) ((n) % MODULUS)
#define BEHIND(to, from) (((to) + MODULUS - (from)) % MODULUS)
// need_event() of split_layout.hpp
#define EVENT_BETWEEN(event, to, from) (BEHIND(INDEX(to), INDEX((event) + 1)) < BEHIND(INDEX(to), INDEX(from)))

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
#define ARM_LOOK false
#else
#define ARM_LOOK (BEHIND(seen, INDEX(taken)) >= wanted)
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
#define KICKS_LOOK false
#else
#define KICKS_LOOK (seen != INDEX(popped))
#endif

proctype driver() {
    byte submitted, published, taken; // counts
    byte seen, asked, wanted;
    do
    :: taken == REQUESTS -> break
    :: submitted < REQUESTS && submitted - taken < SIZE -> // submit()
       STORE(DRIVER, DESCRIPTOR(submitted), submitted + 1);
       submitted++
    :: submitted > published -> // kick()
       PUBLISH_RELEASE;
       STORE(DRIVER, AVAIL_INDEX, INDEX(submitted));
       KICK_FENCE;
       LOAD(DRIVER, WANTS_KICK, asked);
       if
#ifdef EVENT_INDEX
       :: EVENT_BETWEEN(asked, submitted, published) -> kicked = true
#else
       :: asked -> kicked = true
#endif
       :: else
       fi;
       published = submitted
    :: submitted == published && taken < published -> // poll(), then arm() and sleep
       LOAD(DRIVER, USED_INDEX, seen);
       if
       :: seen != INDEX(taken) ->
#ifdef EVENT_INDEX
          if // disarm(), or not
          :: STORE(DRIVER, WANTS_INTERRUPT, INDEX(taken + MODULUS - 1))
          :: true
          fi;
#else
          STORE(DRIVER, WANTS_INTERRUPT, 0); // disarm()
#endif
          do
          :: seen != INDEX(taken) ->
             LOAD(DRIVER, USED(taken), asked);
             assert(asked == taken + 1);
             taken++
          :: else -> break
          od
       :: else ->
          wanted = 1;
#ifdef EVENT_INDEX
          if // arm(n): any number of what is out
          :: true
          :: published - taken > 1 -> wanted = 2
          fi;
          STORE(DRIVER, WANTS_INTERRUPT, INDEX(taken + wanted - 1));
#else
          STORE(DRIVER, WANTS_INTERRUPT, 1);
#endif
          ARM_FENCE;
          LOAD(DRIVER, USED_INDEX, seen);
          if
          :: ARM_LOOK
          :: else -> atomic { interrupted -> interrupted = false } // the sleep
          fi
       fi;
       asked = 0; seen = 0; wanted = 0
    od
}

proctype device() {
    byte popped, published, notified; // counts
    byte seen, entry, asked;
    do
    :: LOAD(DEVICE, AVAIL_INDEX, seen);
       if
       :: seen != INDEX(popped) -> // pop() and push(), in batches of any size
#ifdef EVENT_INDEX
          if // disarm(), or not
          :: STORE(DEVICE, WANTS_KICK, INDEX(popped + MODULUS - 1))
          :: true
          fi;
#else
          STORE(DEVICE, WANTS_KICK, 0); // disarm()
#endif
          LOAD(DEVICE, DESCRIPTOR(popped), entry);
          assert(entry == popped + 1);
          STORE(DEVICE, USED(popped), entry);
          popped++
       :: popped > published -> // publish()
          USED_RELEASE;
          STORE(DEVICE, USED_INDEX, INDEX(popped));
          published = popped
       :: published > notified -> // must_notify()
          NOTIFY_FENCE;
          LOAD(DEVICE, WANTS_INTERRUPT, asked);
          if
#ifdef EVENT_INDEX
          :: published - notified >= MODULUS || EVENT_BETWEEN(asked, published, notified) -> interrupted = true
#else
          :: asked -> interrupted = true
#endif
          :: else
          fi;
          notified = published
       :: seen == INDEX(popped) && notified == popped -> // arm() and sleep
#ifdef EVENT_INDEX
          STORE(DEVICE, WANTS_KICK, INDEX(popped));
#else
          STORE(DEVICE, WANTS_KICK, 1);
#endif
          KICKS_FENCE;
          LOAD(DEVICE, AVAIL_INDEX, seen);
          if
          :: KICKS_LOOK
          :: else ->
end_asleep:  atomic { kicked -> kicked = false }
          fi
       fi;
       entry = 0; asked = 0; seen = 0
    od
}

init {
    byte word = 0;
    atomic {
#ifndef EVENT_INDEX
        memory[WANTS_KICK] = 1;      // zeroed flags: both sides want to be told
        memory[WANTS_INTERRUPT] = 1;
#endif
        do
        :: word < WORDS -> run lets_go(DRIVER, word); run lets_go(DEVICE, word); word++
        :: else -> break
        od;
        run driver();
        run device()
    }
}
