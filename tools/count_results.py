#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Sums up a test run: a table of its stages, what failed, what was skipped and why, and the plain last line.

A Catch2 program counts as its test cases, anything else as one. Reads ctest's JUnit reports and stages.tsv
(name, exit status with 77 for skipped, seconds, last line) in the directory given.
"""

import glob
import os
import re
import sys
import xml.etree.ElementTree as xml

ALL_PASSED = re.compile(r"^All tests passed \(\d+ assertions? in (\d+) test cases?\)", re.M)
SUMMARY = re.compile(r"^test cases:\s*(\d+)(.*)$", re.M)
HEADING = re.compile(r"^-{79}\n(\S.*(?:\n(?!-{79}).*)*)\n-{79}$", re.M)
LONGEST = 300  # characters of what a failure says
SUITE_FAILURE = re.compile(r"^FAILED (.*)$", re.M)  # of tests/posix_suite
SKIP = re.compile(r"^skipped: (.*)$", re.M)


class Count:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0
        self.seconds = 0.0


def catch_cases(output):
    """(cases, failed) as Catch2's last summary says, or None."""
    match = None
    for match in SUMMARY.finditer(output):
        pass
    if match:
        failed = re.search(r"(\d+) failed(?! as)", match.group(2))
        return int(match.group(1)), int(failed.group(1)) if failed else 0
    for match in ALL_PASSED.finditer(output):
        pass
    return (int(match.group(1)), 0) if match else None


def failed_cases(output):
    """Each test case (with its sections) above a FAILED of Catch2's report, and what its first FAILED says."""
    cases = {}
    for match in re.finditer(r"^.*: FAILED:$", output, re.M):
        above = [heading.group(1) for heading in HEADING.finditer(output, 0, match.start())]
        name = " / ".join(line.strip() for line in above[-1].splitlines()) if above else "?"
        place = os.path.basename(match.group(0)[:-len(": FAILED:")])
        said = output[match.end():].lstrip("\n").split("\n\n")[0].split()
        cases.setdefault(name, f"{place}: {' '.join(said)[:LONGEST]}")
    return [f"{name}: {said}" for name, said in cases.items()]


def last_words(output):
    """What a sanitizer or a signal said of a program that ended without a summary."""
    said = [line for line in output.splitlines() if re.match(r"SUMMARY: |==\d+==ERROR: |.*\bruntime error: ", line)]
    return f": {said[-1][:LONGEST]}" if said else ""


def read_report(path, failures, skips):
    count = Count()
    stage = "test " + os.path.splitext(os.path.basename(path))[0]
    for case in xml.parse(path).getroot().iter("testcase"):
        name, status = case.get("name"), case.get("status")
        output = (case.findtext("system-out") or "") + (case.findtext("system-err") or "")
        count.seconds += float(case.get("time") or 0)
        reasons = SKIP.findall(output)
        cases = catch_cases(output)
        if status in ("disabled", "notrun"):
            reason = case.find("skipped")
            reason = reason.get("message") if reason is not None else status
            if status == "disabled" or reason.startswith("SKIP_"):
                count.skipped += 1
                skips.append(f"{stage}: {name}: {reason}")
            else:
                count.failed += 1
                failures.append(f"{stage}: {name}: {reason}")
            continue
        failed = status == "fail" or case.find("failure") is not None
        if cases is None:
            if reasons:
                count.skipped += 1
            elif failed:
                count.failed += 1
            elif "No tests ran" not in output:
                count.passed += 1
            bad = 1
        else:
            total, bad = cases
            if failed and bad == 0:  # all cases passed, and then it crashed or leaked
                bad, total = 1, total + 1
            count.failed += bad
            count.skipped += len(reasons)
            count.passed += max(0, total - bad - len(reasons))
        if failed:
            why = "" if cases else " (ended without a summary: crash or time-out)" + last_words(output)
            failures.append(f"{stage}: {name}: {bad} failed{why}")
            failures.extend(f"{stage}: {name}: {case}" for case in failed_cases(output))
            failures.extend(f"{stage}: {name}: {line}" for line in SUITE_FAILURE.findall(output))
        skips.extend(f"{stage}: {name}: {reason}" for reason in reasons)
    return stage, count


def read_stages(path, failures, skips):
    for line in open(path, encoding="utf-8"):
        name, status, seconds, *last = line.rstrip("\n").split("\t")
        count = Count()
        count.seconds = float(seconds)
        if status == "0":
            count.passed = 1
        elif status == "77":
            count.skipped = 1
            skips.append(last[0] if last else name)
        else:
            count.failed = 1
            failures.append(last[0] if last else name)
        yield name, count


def skip_lines(skips):
    """One line for each reason, with the first of the cases that it keeps from running, and how many more there are."""
    cases = {}
    for skip in skips:
        case, _, reason = skip.rpartition(": ")
        cases.setdefault(reason, []).append(case)
    for reason, skipped in cases.items():
        more = f" and {len(skipped) - 1} more" if len(skipped) > 1 else ""
        yield f"skipped: {reason} ({skipped[0]}{more})" if skipped[0] else f"skipped: {reason}"


def main():
    folder = sys.argv[1]
    failures, skips, rows = [], [], []
    stages = os.path.join(folder, "stages.tsv")
    if os.path.exists(stages):
        rows.extend(read_stages(stages, failures, skips))
    for path in sorted(glob.glob(os.path.join(folder, "*.xml"))):
        rows.append(read_report(path, failures, skips))

    for line in skip_lines(skips):
        print(line)
    print(f"\n{'stage':<26}{'passed':>8}{'failed':>8}{'skipped':>9}{'seconds':>9}")
    for name, count in rows:
        print(f"{name:<26}{count.passed:>8}{count.failed:>8}{count.skipped:>9}{count.seconds:>9.0f}")
    for failure in failures:
        print("failed: " + failure)
    passed, failed, skipped = (sum(getattr(count, field) for _, count in rows) for field in
                               ("passed", "failed", "skipped"))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed or passed == 0 else 0)


main()
