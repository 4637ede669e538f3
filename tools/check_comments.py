#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""A comment starts with a sentence that can be read alone. Counts the blocks that start as a fragment, a riddle or a ditto.

    ./dev check comments                     counts for each room; fails when the product has more than MOST
    ./dev check comments --list              every block of the product that counts, and why
    ./dev check comments --in=tests/unit     those of one folder or file, tests included

A block is a run of lines that hold nothing but a comment. Comments behind code are looked at for dittos alone. Nothing is
parsed: a list of verbs tells a sentence from a phrase. A phrase that names a thing ("The longest name accepted, in bytes.")
is allowed.
"""

import collections
import re
import sys

import source_tree as tree

MOST = 0 # of include/ and src/; only ever lowered

NOT_PROSE = re.compile(r".{1,40}\w   +\w|clang-format |NOLINT|IWYU |virtio 1\.\d|fuse\.h|struct |SPDX|\[\w+(\.\w+)+\]|[-=]{3,}")

DITTO = re.compile(r'(…|\.\.\.)\s|"(?=[\s:,.]|$)|(As above|Ditto|Likewise)\b|The same(?! \w+ (?:is|are|has|have|may|must|can)\b)')
RIDDLE = re.compile(r"(Of|What|Whatever|As if|As though|With|Without|Who|Whose|Whoever|Where|Wherever|How|Whether|Which|Why|That|"
                    r"Than|And|But|Or|Nor|So|Also|Besides|Again|Not|Never|Neither|Else|Then|Instead|Having|Its|Back|Up)\b(?! means)")
CONNECTIVE = re.compile(r"(and|but|or|nor|so|of|what|which|who|whose|where|how|why|whether|with|without|as|also|again|not|never|"
                        r"than|that|else|then)\s")
QUESTION = re.compile(r"(Is|Are|Was|Were|Does|Do|Did|Has|Have|Had|May|Might|Must|Can|Could|Will|Would|Should|Shall)\b[^.:;]*\?")
# These open a sentence well ("In hiprio, …"), or a fragment.
PREPOSITION = re.compile(r"([a-z]+(?=[ ,])|As|For|From|To|In|On|At|By|Under|Above|Below|Between|Behind|Beside|Beyond|Before|After|Around|Across|"
                         r"Against|Among|Through|Only|Once|Always|Here|There|More|Less|Another|Exactly|Both|Neither|Because|Since|"
                         r"While|When|If|Until|Unless|Than)\b")
PARTICIPLE = re.compile(r"(?!Called|Owned|Guarded|Protected|Needed|Used|Unused|Reserved|Deprecated|Extended|Registered|Numbered|"
                        r"Shared|Fixed|Packed|Hosted|Indexed|Unsigned|Signed|Embed|Need|Feed|Speed|Seed)"
                        r"([A-Z][a-z]+ed|Asked|Taken|Given|Written|Held|Kept|Seen|Found|Left|Made|Put|Told|Begun|Gone|Done|Lost)\b")

AUXILIARY = set("""is are was were has have had do does did can cannot could may might must will would shall should isn't aren't
    doesn't don't""".split())
VERBS = set("""accepts acknowledges acquires adds adopts agrees aligns allocates allows appends applies arrives ascends asks assumes
    attaches becomes begins believes belongs brings builds bumps cares carries causes clears closes collects comes compares compiles
    completes computes concatenates connects considers consumes contains continues contradicts converts corrupts costs covers creates
    decides decodes decrements delivers depends derives destroys detaches differs disables discards drains drops dies embeds
    enables encodes ends ensures enters equals erases excludes executes exists exits expects expires fails fetches fills finds
    finishes fits follows forbids forgets forwards frees gains gathers gets gives goes grants grows guarantees handles happens hears
    helps hides ignores implements includes increments indicates inherits initialises inserts installs interleaves invalidates
    joins keeps knows latches leaves lets lies listens lives locks loses lowers makes mends merges misbehaves moves multiplies needs
    negotiates notifies obliges obtains occupies occurs opens outlives overlaps overrides overtakes owns parses passes pins
    pops prefetches prepares prevents prints proves provides publishes pushes raises reaches reads receives recognises refuses
    registers rejects relates releases relies remembers removes reopens repeats replaces reports represents requires rereads
    reserves resets restores retires retries returns revalidates reuses rewrites rounds runs saves scatters sees selects sends
    separates serialises serves sets shifts shrinks skips sleeps sorts splits stands stays stops subtracts suits survives switches
    takes tells terminates throws touches tracks translates treats trims trusts turns unlocks unmaps unpins updates uses
    validates varies verifies waits wakes walks wants works wraps writes yields zeroes fires owes walks says swaps opens
    keeps tries carries removes collects learns holds expands lists binds unbinds advances frees polls spins loads stores""".split())
# Verbs that are as often nouns of the plural: verbs where they open a comment, or have an object behind them.
EITHER = set("""answers arms attempts blocks bounds calls changes checks copies counts cores dispatches faces files flags guards holds
    kicks limits links lists loads locks looks maps marks masks matches measures moves names notes opens orders parks peeks
    pieces places polls posts queues ranges reads records releases reports requests resets returns runs scores serves shares shows
    signals sizes sleeps sources spins starts states steps stops stores submits sums tests times traces transfers walks waits
    wakes works writes means points uses advises drives grants""".split())
PLAIN = set("""lie come go take stand hold give get keep want make stay know see begin follow ask wait need read share own look
    happen belong start end run live use serve say tell work fail leave become arrive pass fit carry count reach fall point
    differ wrap write change return allow require cost send lose exist apply consist depend refuse expect contain cover""".split())
SUBORDINATES = set("""that which who whose whom what where when while if unless until as than because since before after how whether
    once whoever whatever wherever why""".split())
OBJECTS = set("""the a an it its them what who as no nothing one this that these to their his all any every each how whether where if
    when itself themselves only both at from on with through up out away off again back over in by for into until two""".split())
ENTRANCES = re.compile(r"(True|False|True and|ok) (if|when|while|until|once|for)\b|Called\b|Errors: |Error: |Unit: |Example:|Usage:")


def first_sentence(text):
    match = re.match(r"(.*?[.:;?!])(\s|$)", text)
    return match.group(1) if match else text


def has_main_verb(sentence):
    """Is there a verb more than there are words that begin a subordinate clause?"""
    words = re.findall(r"`[^`]*`|[A-Za-z_:'§~.]+\w(?:\(\))?|[A-Za-z]|\d+", sentence)
    verbs = subordinates = 0
    for index, word in enumerate(words):
        lower = word.lower()
        before = words[index - 1].lower() if index else ""
        after = words[index + 1].lower() if index + 1 < len(words) else ""
        if lower in SUBORDINATES:
            subordinates += 1
        elif lower in AUXILIARY:
            verbs += 1
        elif index == 0 and word[0].isupper() and (lower in VERBS or lower in EITHER):
            return True
        elif lower in EITHER:
            verbs += after in OBJECTS or after[:1] == "`" or before in ("that", "which", "who", "it", "and", "just", "never")
        elif lower in VERBS:
            verbs += 1
        elif lower in PLAIN:
            plural = before.endswith("s") or before in ("who", "that", "which", "they", "we", "you", "both", "and", "not", "all")
            verbs += plural and before not in ("does", "as", "is", "was")
    return verbs > subordinates


def fault(text, line):
    """Why a block starts badly; None when it does not."""
    if NOT_PROSE.match(text):
        return None
    if DITTO.match(text):
        return "a ditto"
    if ENTRANCES.match(text):
        return None
    first = first_sentence(text)
    if RIDDLE.match(text):
        return f"starts with '{first.split()[0]}'"
    if CONNECTIVE.match(text):
        return "starts in the middle of a sentence"
    if QUESTION.match(text):
        return "asks: say 'True if …'"
    if (PREPOSITION.match(text) or PARTICIPLE.match(text)) and not has_main_verb(first):
        return "no sentence: a subject and a verb"
    if line > 2 and len(first.split()) <= 2 and first.endswith(".") and not has_main_verb(first) and len(text) > len(first):
        return "no sentence: a subject and a verb"
    return None


def blocks(text):
    """(line, text of the comment, whether it stands on lines of its own)."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        own = re.match(r"\s*//", lines[number])
        behind = None if own else re.search(r'(?<![:"])//(?!.*")', lines[number])
        first = number
        number += 1
        if not own and not behind:
            continue
        column = lines[first].index("//") if own else behind.start()
        parts = [lines[first][column + 2:].strip()]
        is_table = lines[first][column + 2:].startswith("    ")
        while number < len(lines) and re.match(r"\s*//", lines[number]) and (own or lines[number].index("//") == column):
            parts.append(lines[number].strip()[2:].strip())
            number += 1
        parts = [part for part in parts if not part.startswith("SPDX")]
        if parts and not is_table:
            yield first + 1, " ".join(parts).strip(), bool(own)


def faults_of(path):
    total, found = 0, []
    for line, text, own in blocks(tree.read(path)):
        if own:
            total += 1
            why = fault(text, line)
        else:
            why = "a ditto" if DITTO.match(text) and not text.startswith('"') else None
        if why:
            found.append((line, why, text))
    return total, found


def room_of(path):
    """The folder a count is kept for: fuse/client of include/vfsproto/fuse/client/x.hpp."""
    parts = re.sub(r"^(include/vfsproto|src)/", "", path).split("/")[:-1]
    return "/".join(parts[:2] if parts[:1] in (["fuse"], ["backends"], ["tests"]) else parts[:1]) or "."


# What check_self expects of fault().
SENTENCES = (
    "Returns the number of bytes written, at most `room`.",
    "The longest name accepted in a record, in bytes.",
    "Only the poller's thread touches what follows.",
    "True if the queue has room.",
    "Called when the device is gone. Any thread.",
    "In a full ring the next free head is kEnd.",
    "On an error there are none of them.",
    "The same node is never given back twice.",
)
FRAGMENTS = (
    "Of the last request in this slot.",
    "What the device side knows of a chain.",
    "The same for a directory.",
    "… or one with faults in front of it.",
    '": as above',
    "Without the lock when it returns.",
    "As RequestLane::enqueue().",
    "Cold. Never inlined.",
    "Does the row carry names?",
    "Asked once for every request.",
    "but not the last one",
)


def main():
    findings = tree.Findings("comments")
    folder = next((word[len("--in="):].rstrip("/") for word in sys.argv[1:] if word.startswith("--in=")), None)
    shown = folder is not None or "--list" in sys.argv[1:]
    counts, totals = collections.Counter(), collections.Counter()
    for path in tree.sources(("include", "src", "tests", "examples", "bench", "fuzz")):
        if path.startswith("bench/baseline/"):
            continue
        product = path.startswith(("include/", "src/"))
        wanted = path == folder or path.startswith(f"{folder}/") if folder else product
        total, found = faults_of(path)
        totals[room_of(path)] += total
        counts[room_of(path)] += len(found)
        counts["product" if product else "beside"] += len(found)
        totals["product" if product else "beside"] += total
        if (shown and wanted) or (product and MOST == 0):
            for line, why, text in found:
                print(f"{path}:{line}: {why}: {text[:90]}")
    for room in sorted(totals, key=lambda room: (room.split("/")[0] in ("tests", "examples", "bench", "fuzz"), room)):
        if not shown and room not in ("product", "beside"):
            print(f"{counts[room]:5} of {totals[room]:5}  {room}")
    if counts["product"] > MOST:
        findings.add("tools/check_comments.py", 1, f"{counts['product']} blocks start badly, {MOST} at most")
    findings.finish(f"{counts['product']} of {totals['product']} blocks of the product start badly; "
                    f"{counts['beside']} of {totals['beside']} beside it")


if __name__ == "__main__":
    main()
