# SPDX-License-Identifier: BSD-2-Clause
"""Question: what does a buffer cost in a ring, driver and device together?

Times by ring_time, instructions by ring_cost under callgrind, for split and packed rings, in order and not, with and
without the C table, beside an array of words; then the device side alone, and null FUSE requests between two lanes. All
cases are measured once a round, round after round; of each the median counts. A time beside which more than 3 % of a CPU
was taken away is dropped, unless there is no better one, which is said. Where two CPUs are needed, a cache line is sent there
and back before and after: a machine's virtual CPUs may be close neighbours now and far apart a moment later, and the
figures are all of one kind, of which there was more, or of the one asked for. Instructions are those of one thread that
does the work of both sides, asking for a notification after each burst (sleeping placements) or never (polling ones).

usage: ./dev bench ring [--json FILE] [--rounds N] [--seconds S] [--case TEXT]... [--no-times] [--no-instructions]
                        [--plot] [--from FILE] [--real-time] [--cpus close|far]

--json FILE   an array of {ring, burst, placement, ns_per_buffer, instructions_per_buffer, kicks_per_buffer,
              interrupts_per_buffer}
--plot        renews docs/bench/ring.json, its plots, and the tables of docs/bench/ring.md
--cpus WHICH  close or far: only times at which the two CPUs were that
--real-time   before everybody else on the machine (root): for one that is not quiet; keep --seconds small
--from FILE   takes the figures from there instead of measuring
"""
import argparse, json, os, re, statistics, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BENCH = os.path.join(ROOT, "build", "release", "bench")
DOCS = os.path.join(ROOT, "docs", "bench")
MOST_LOST = 0.03
CLOSE = 160  # ns for a cache line there and back, at most
MORE_ROUNDS = 20  # at most, for cases that were not measured with the CPUs as the others
PREFIX = []
BURSTS = (1, 8, 32)
RINGS = ("split", "split-in-order", "packed", "packed-in-order")
TABLES = ("split-table", "packed-table")
PLACEMENTS = ("one-thread", "same-core", "two-cores", "two-cores-sleep")
POLLING = ("one-thread", "two-cores")
# What is said of the other cases, and what was asked of them, in ns.
OTHERS = {
    "pop-4": "device side: pop and walk of a chain of 4 descriptors",
    "pop-indirect-4": "device side: pop and walk of an indirect chain of 4",
    "push": "device side: push, of 32 published at once",
    "fuse": "null FUSE requests over two polling cores",
    "fuse-one-thread": "null FUSE requests, both sides on one thread",
    "line": "a cache line between two cores, there and back",
}
SAID = {
    "one-thread": "one thread does the work of both sides",
    "same-core": "two threads on one CPU, sleeping, event index",
    "two-cores": "two threads on two CPUs, polling",
    "two-cores-sleep": "two threads on two CPUs, sleeping",
}
GOALS = {
    ("split", "same-core"): 64, ("packed", "same-core"): 52, ("packed-in-order", "same-core"): 45,
    ("split", "two-cores"): 134, ("packed", "two-cores"): 36,
    ("split", "pop-4"): 20, ("packed", "pop-4"): 20, ("split", "pop-indirect-4"): 25, ("packed", "pop-indirect-4"): 25,
    ("split", "push"): 3.5, ("packed", "push"): 3.5, ("split", "fuse", 32): 200, ("packed", "fuse", 32): 125,
}
INSTRUCTION_GOALS = {"split": 147, "packed": 110, "packed-in-order": 114}


def cases():
    for placement in PLACEMENTS:
        polls = placement in POLLING
        for ring in (("bare",) if polls else ()) + RINGS + (TABLES if polls else ()):
            for burst in BURSTS:
                yield ring, placement, burst
    for placement in ("pop-4", "pop-indirect-4", "push"):
        for ring in RINGS:
            yield ring, placement, 32
    for burst in (1, 32):
        for placement in ("fuse-one-thread", "fuse"):
            for ring in ("split", "packed"):
                yield ring, placement, burst
    yield "bare", "line", 1


def lost():
    """The largest share of a CPU that somebody else took just now."""
    if PREFIX:
        return 0.0
    cpus = sorted(os.sched_getaffinity(0))[:2]
    gauges = [subprocess.Popen(["taskset", "-c", str(cpu), os.path.join(BENCH, "gap_gauge"), "0.03"],
                               stdout=subprocess.PIPE, text=True) for cpu in cpus]
    return max(float(gauge.communicate()[0]) for gauge in gauges)


def time_once(case, seconds):
    ring, placement, burst = case
    command = PREFIX + [os.path.join(BENCH, "ring_time"), ring, placement, str(burst), str(seconds)]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=60)
    except subprocess.TimeoutExpired:
        return None
    if result.returncode == 77:
        return None
    if result.returncode != 0:
        sys.exit("ring: %s: %d\n%s" % (" ".join(command), result.returncode, result.stderr))
    return json.loads(result.stdout)


def needs_two(case):
    return case[1] in ("two-cores", "two-cores-sleep", "fuse", "line")


def distance():
    """Of the two CPUs, now."""
    line = time_once(("bare", "line", 1), 0.02)
    return None if line is None else "close" if line["ns_per_buffer"] <= CLOSE else "far"


def measure_round(wanted, seconds, samples):
    before = lost()
    for case in wanted:
        where = distance() if needs_two(case) else "any"
        figures = time_once(case, seconds)
        after = lost()
        if figures is not None and (where == "any" or where == distance()):
            samples[case].append((where, max(before, after) <= MOST_LOST, figures))
        before = after


def measure_times(wanted, rounds, seconds, cpus):
    samples = {case: [] for case in wanted}
    for number in range(rounds):
        measure_round(wanted, seconds, samples)
        print("round %d of %d done" % (number + 1, rounds), file=sys.stderr, flush=True)
    seen = [where for found in samples.values() for where, _, _ in found if where != "any"]
    cpus = cpus or max(("close", "far"), key=seen.count)
    kept_of = lambda case: [sample for sample in samples[case] if sample[0] in ("any", cpus)]
    for _ in range(MORE_ROUNDS if seen else 0):
        missing = [case for case in wanted if len(kept_of(case)) * 2 < rounds]
        if not missing:
            break
        measure_round(missing, seconds, samples)
    if seen:
        print("ring: of two CPUs, figures are of the %d of %d times they were %s" % (seen.count(cpus), len(seen), cpus),
              file=sys.stderr)
    rows, loud = {}, []
    for case in wanted:
        kept = kept_of(case)
        quiet = [figures for _, is_quiet, figures in kept if is_quiet]
        if not kept:
            continue
        if not quiet:
            loud.append(case)
        chosen = quiet or [figures for _, _, figures in kept]
        rows[case] = {key: statistics.median(figures[key] for figures in chosen) for key in chosen[0]}
    if loud:
        print("ring: %d of %d cases found no quiet moment" % (len(loud), len(rows)), file=sys.stderr)
    return rows


def collected(ring, part, requests, burst):
    command = ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", os.path.join(BENCH, "ring_cost"), ring,
               part, str(requests), str(burst)]
    said = subprocess.run(command, capture_output=True, text=True)
    return int(re.search(r"Collected : (\d+)", said.stderr).group(1))


def instructions(ring, placement, burst, known={}):
    if placement not in PLACEMENTS or ring == "bare":
        return None
    part = "polling1" if placement in POLLING else "both1"
    if ring.endswith("-table"):
        ring, part = ring[:-len("-table")], "polling-table1"
    key = ring, part, burst
    if key not in known:
        requests = 6400
        once, twice = (collected(ring, part, n, burst) for n in (requests, 2 * requests))
        known[key] = round((twice - once) / requests, 1)
    return known[key]


def measure(arguments):
    wanted = [case for case in cases()
              if not arguments.case or any(part in " ".join(map(str, case)) for part in arguments.case)]
    times = {} if arguments.no_times else measure_times(
        wanted, arguments.rounds, arguments.seconds, arguments.cpus)
    rows = []
    for ring, placement, burst in wanted:
        timed = times.get((ring, placement, burst), {})
        counted = None if arguments.no_instructions else instructions(ring, placement, burst)
        if not timed and counted is None:
            continue
        rows.append({"ring": ring, "burst": burst, "placement": placement, "ns_per_buffer": timed.get("ns_per_buffer"),
                     "instructions_per_buffer": counted, "kicks_per_buffer": timed.get("kicks_per_buffer"),
                     "interrupts_per_buffer": timed.get("interrupts_per_buffer")})
        print(line_of(rows[-1]), flush=True)
    return rows


def number(value, form="%.1f"):
    return "-" if value is None else form % value


def line_of(row):
    return "%-16s %-16s burst %2d  %8s ns %8s instructions  %7s kicks %7s interrupts" % (
        row["ring"], row["placement"], row["burst"], number(row["ns_per_buffer"]),
        number(row["instructions_per_buffer"]), number(row["kicks_per_buffer"], "%.4f"),
        number(row["interrupts_per_buffer"], "%.4f"))


def tables(rows):
    find = {(row["ring"], row["placement"], row["burst"]): row for row in rows}
    out = []
    for placement in PLACEMENTS:
        out += ["", "### " + SAID[placement][0].upper() + SAID[placement][1:], "",
                "| ring | ns at burst 1, 8, 32 | instructions at 1, 8, 32 | kicks, interrupts a buffer at 32 | goal, ns |",
                "|---|---|---|---|---|"]
        for ring in ("bare",) + RINGS + TABLES:
            found = [find.get((ring, placement, burst)) for burst in BURSTS]
            if not any(found):
                continue
            each = lambda key: ", ".join(number(row and row[key]) for row in found)
            last = found[-1] or {}
            out.append("| %s | %s | %s | %s, %s | %s |" % (
                ring, each("ns_per_buffer"), each("instructions_per_buffer"), number(last.get("kicks_per_buffer"), "%.4f"),
                number(last.get("interrupts_per_buffer"), "%.4f"), number(GOALS.get((ring, placement)), "%g")))
    out += ["", "### The rest", "", "| what | ring | under way | ns | goal, ns |", "|---|---|---|---|---|"]
    for row in rows:
        if row["placement"] in OTHERS:
            ring, placement, burst = row["ring"], row["placement"], row["burst"]
            goal = GOALS.get((ring, placement, burst), GOALS.get((ring, placement)))
            out.append("| %s | %s | %d | %s | %s |" % (OTHERS[placement], "-" if placement == "line" else ring, burst,
                                                       number(row["ns_per_buffer"]), number(goal, "%g")))
    counted = [(ring, find.get((ring, "same-core", 32))) for ring in INSTRUCTION_GOALS]
    out += ["", "Instructions at burst 32, asking for a notification after each burst: " + "; ".join(
        "%s %s (goal %d)" % (ring, number(row and row["instructions_per_buffer"]), INSTRUCTION_GOALS[ring])
        for ring, row in counted) + "."]
    return "\n".join(out[1:])


def write_page(rows):
    path = os.path.join(DOCS, "ring.md")
    begin, end = "<!-- figures -->\n", "<!-- end of figures -->\n"
    with open(path) as file:
        page = file.read()
    head, rest = page.split(begin)
    with open(path, "w") as file:
        file.write(head + begin + "\n" + tables(rows) + "\n\n" + end + rest.split(end)[1])


def plot(rows, name, key, title, placements):
    """Bars by gnuplot: a panel a placement, a group a burst, a bar a ring."""
    find = {(row["ring"], row["placement"], row["burst"]): row for row in rows}
    rings = ("bare",) + RINGS + TABLES
    script = ["set terminal svg size 900,%d font 'sans,12' background 'white'" % (240 * len(placements) + 60),
              "set output '%s'" % os.path.join(DOCS, name),
              "set multiplot layout %d,1 title '%s'" % (len(placements), title),
              "set style data histograms", "set style histogram clustered gap 1", "set style fill solid 0.8",
              "set key outside right", "set grid ytics", "set yrange [0:*]", "set datafile missing '-'"]
    for at, placement in enumerate(placements):
        present = [ring for ring in rings if any((find.get((ring, placement, b)) or {}).get(key) for b in BURSTS)]
        if not present:
            continue
        script.append("$data%d << EOD" % at)
        for burst in BURSTS:
            figures = [number((find.get((ring, placement, burst)) or {}).get(key), "%.2f") for ring in present]
            script.append('"burst %d" ' % burst + " ".join(figures))
        script += ["EOD", "set title '%s'" % SAID[placement],
                   "plot " + ", ".join("$data%d using %d:xtic(1) linetype %d title '%s'" %
                                       (at, column + 2, rings.index(ring) + 1, ring)
                                       for column, ring in enumerate(present))]
    script.append("unset multiplot")
    subprocess.run(["gnuplot"], input="\n".join(script) + "\n", text=True, check=True)


def write_docs(rows):
    subprocess.run([os.path.join(ROOT, "tools", "setup.sh"), "plot"], check=True)
    write_json(os.path.join(DOCS, "ring.json"), rows)
    write_page(rows)
    plot(rows, "ring.svg", "ns_per_buffer", "ns a buffer", PLACEMENTS)
    plot(rows, "ring_instructions.svg", "instructions_per_buffer", "user instructions a buffer, both sides",
         ("same-core", "two-cores"))


def write_json(path, rows):
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(" " + json.dumps(row) for row in rows) + "\n]\n")


def main():
    parser = argparse.ArgumentParser(prog="./dev bench ring")
    parser.add_argument("--json", metavar="FILE")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--case", action="append", help="only cases whose ring, placement and burst contain this")
    parser.add_argument("--no-times", action="store_true")
    parser.add_argument("--no-instructions", action="store_true")
    parser.add_argument("--real-time", action="store_true")
    parser.add_argument("--cpus", choices=("close", "far"))
    parser.add_argument("--plot", action="store_true")
    parser.add_argument("--from", dest="source", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.real_time:
        PREFIX.extend(["chrt", "-f", "50"])
    if arguments.source:
        with open(arguments.source) as file:
            rows = json.load(file)
    else:
        rows = measure(arguments)
    if arguments.json:
        write_json(arguments.json, rows)
    if arguments.plot:
        write_docs(rows)


if __name__ == "__main__":
    main()
