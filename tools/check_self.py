#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""The checks can fail: each is run on a small tree with one thing wrong, and has to say so, and on one with nothing wrong."""

import os
import shutil
import subprocess
import sys
import tempfile

import check_comments
import check_source
import commit_message
import source_tree as tree

CMAKE = "project(vfsproto VERSION 0.1.0)\n"

# check: [(file, contents, has to be found)]
CASES = {
    "layers": [
        ("include/vfsproto/base/a.hpp", "#include <string>\n", "<string> below the line"),
        ("include/vfsproto/base/b.hpp", '#include "vfsproto/virtqueue/q.hpp"\n', "base must not include virtqueue"),
        ("include/vfsproto/fuse/client/c.hpp", '#include "vfsproto/virtqueue/split_driver.hpp"\n', "queue seams alone"),
        ("include/vfsproto/fuse/client/c.hpp", '#include "vfsproto/virtqueue/slots.hpp"\n', None),
        ("include/vfsproto/fuse/client/d.hpp", '#include "vfsproto/fuse/server/x.hpp"\n', "must not include fuse/server"),
        ("include/vfsproto/transport/e.hpp", '#include "vfsproto/fuse/wire/x.hpp"\n', "transport must not include fuse/wire"),
        ("src/backends/memfs/f.cpp", '#include "vfsproto/backends/loopback/x.hpp"\n', "backend memfs includes backend loopback"),
        ("src/backends/memfs/f.cpp", '#include "vfsproto/backends/attachment.hpp"\n', None),
        ("src/backends/memfs/f.cpp", '#include "vfsproto/serving/port.hpp"\n', None),
        ("src/serving/s.cpp", '#include "vfsproto/backends/file_descriptor.hpp"\n', None),
        ("src/serving/s.cpp", '#include "vfsproto/backends/attachment.hpp"\n', "serving must not include backends"),
        ("src/posix/g.cpp", '#include "support/catch.hpp"\n', "of the tests"),
        ("src/nowhere/h.cpp", "\n", "no such room"),
        ("examples/i.cpp", '#include "src/posix/x.hpp"\n', "installed headers and its own alone"),
        ("examples/j.cpp", '#include "vfsproto/posix/detail/x.hpp"\n', "posix/detail/x.hpp is an inside"),
        ("examples/j.cpp", '#include "vfsproto/posix/async_mount.hpp"\n', None),
    ],
    "sizes": [
        ("src/posix/a.cpp", "int x;\n" * 601, "601 lines"),
    ],
    "examples": [
        ("include/vfsproto/base/a.hpp", "// Example (src/a.cpp):\n//\n//     f();\n", "no file src/a.cpp"),
        ("include/vfsproto/base/a.hpp", "// Example (include/vfsproto/base/a.hpp):\n//\n//     f(); // why\n\nf();\n", None),
        ("include/vfsproto/base/a.hpp", "// Example (include/vfsproto/base/a.hpp):\n//\n//     f();\n//     g();\n\nf();\nh();\ng();\n",
         "the example is not in"),
    ],
    "comments": [("src/posix/a.cpp", "// Of the last request.\nint x;\n", "starts with 'Of'"),
                 ("src/posix/b.cpp", "// The last request.\nint x;\n", None)],
    "conformance": [("docs/conformance.md", "| § | who | requirement | test |\n|---|---|---|---|\n| 2.1 | driver | MUST | `a test` |\n",
                     "no test is called: a test"),
                    ("docs/conformance.md", "| § | who | requirement | test |\n|---|---|---|---|\n| 2.1 | driver | MUST | `it \"holds\" (1 | 2)` |\n",
                     None),
                    ("docs/conformance.md", "| § | who | requirement | test |\n|---|---|---|---|\n| 2.1 | driver | MUST | later |\n",
                     "names no test"),
                    ("docs/pitfalls.md", "| # | what | here | test |\n|---|---|---|---|\n| 1 | a | b | `a test` |\n",
                     "no test is called: a test")],
    "format": [("src/posix/a.cpp", "int  x ;\n", "not formatted"), ("src/posix/b.cpp", "int x;\n", None)],
}
for rule in check_source.RULES:
    CASES[rule.name] = [*rule.bad, *((path, contents, None) for path, contents in rule.good)]
TEST = ("tests/unit/x.cpp", '// virtio 1.2 §2.1\nTEST_CASE("it \\"holds\\" "\n          "(1 | 2)", "[x]") {}\n')


def run_case(check, path, contents):
    with tempfile.TemporaryDirectory() as root:
        shutil.copytree(os.path.join(tree.ROOT, "tools"), os.path.join(root, "tools"),
                        ignore=shutil.ignore_patterns("__pycache__", "check_self.py"))
        shutil.copy(os.path.join(tree.ROOT, ".clang-format"), root)
        for name, text in (("CMakeLists.txt", CMAKE), TEST, (path, contents)):
            os.makedirs(os.path.dirname(os.path.join(root, name)), exist_ok=True)
            with open(os.path.join(root, name), "w", encoding="utf-8") as stream:
                stream.write(text)
        subprocess.run(["git", "init", "-q", root], check=True)
        done = subprocess.run([os.path.join("tools", "check.sh"), check], cwd=root, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr


RULE = "-" * 79
REPORT = f"""<testsuite>
<testcase name="good" status="run" time="1"><system-out>All tests passed (9 assertions in 4 test cases)</system-out></testcase>
<testcase name="bad" status="fail" time="1"><failure/><system-out>{RULE}
a broken thing
{RULE}
x.cpp:5
{"." * 79}

a/x.cpp:5: FAILED:
  CHECK( a == b )
with expansion:
  1 == 2

skipped: a test: no daemon
skipped: another test: no daemon
test cases: 5 | 4 passed | 1 failed</system-out></testcase>
<testcase name="leak" status="fail" time="1"><failure/><system-out>All tests passed (1 assertion in 1 test case)</system-out></testcase>
<testcase name="crash" status="fail" time="1"><failure/><system-out>SUMMARY: leaks</system-out></testcase>
<testcase name="unbuilt" status="notrun"><skipped message="Unable to find executable"/></testcase>
<testcase name="plain" status="run" time="1"><system-out/></testcase>
</testsuite>
"""
STAGES = "build dev\t0\t3\nbuild tsan\t1\t3\ncheck tidy\t77\t0\tcheck tidy: skipped: not installed\n"
COUNTED = ("9 passed, 5 failed, 3 skipped", "failed: test dev: bad: a broken thing: x.cpp:5: CHECK( a == b ) with expansion: 1 == 2",
           "failed: test dev: crash: 1 failed (ended without a summary: crash or time-out): SUMMARY: leaks",
           "skipped: no daemon (test dev: bad: a test and 1 more)", "skipped: not installed (check tidy: skipped)")


def check_counting(findings):
    """The last line of ./dev test: every way a test can fail is counted."""
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (("dev.xml", REPORT), ("stages.tsv", STAGES)):
            with open(os.path.join(folder, name), "w", encoding="utf-8") as stream:
                stream.write(text)
        done = subprocess.run([sys.executable, os.path.join(tree.ROOT, "tools", "count_results.py"), folder],
                              capture_output=True, text=True)
    for expected in COUNTED:
        if expected not in done.stdout.splitlines():
            findings.add("tools/count_results.py", 1, f"does not say '{expected}': {done.stdout}{done.stderr}")
    if done.returncode != 1:
        findings.add("tools/count_results.py", 1, "leaves with 0 although something failed")


def git(root, *arguments):
    return subprocess.run(["git", "-c", "user.name=x", "-c", "user.email=x@example.org", *arguments], cwd=root,
                          capture_output=True, text=True)


def check_commit_messages(findings):
    """The examples of commit_message.py, and the hook it installs: in a clone, and in a worktree of one."""
    own = "tools/commit_message.py"
    for message in commit_message.GOOD:
        if commit_message.faults(message):
            findings.add(own, 1, f"refuses: {message.strip()}: {commit_message.faults(message)}")
    for message, expected in commit_message.BAD:
        if expected not in "; ".join(commit_message.faults(message)):
            findings.add(own, 1, f"does not say '{expected}' of: {message.strip()}")
    with tempfile.TemporaryDirectory() as folder:
        clone, worktree = os.path.join(folder, "clone"), os.path.join(folder, "worktree")
        shutil.copytree(os.path.join(tree.ROOT, "tools"), os.path.join(clone, "tools"),
                        ignore=shutil.ignore_patterns("__pycache__"))
        git(folder, "init", "-q", clone)
        git(clone, "add", "-A")
        git(clone, "commit", "-qm", "tools: first")
        git(clone, "worktree", "add", "-q", worktree)
        for place in (worktree, clone):
            subprocess.run([sys.executable, own, "--install"], cwd=place, check=True)
            if git(place, "commit", "-q", "--allow-empty", "-m", "no scope").returncode == 0:
                findings.add(own, 1, "the hook lets a bad message pass")
            if git(place, "commit", "-q", "--allow-empty", "-m", "tools: say more").returncode != 0:
                findings.add(own, 1, "the hook refuses a good message")


def check_help(findings, own):
    """./dev VERB --help is help, and neither installs nor builds: there is nothing here that could be built."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copy(os.path.join(tree.ROOT, "dev"), folder)
        for room in ("tools", "bench"):
            shutil.copytree(os.path.join(tree.ROOT, room), os.path.join(folder, room),
                            ignore=shutil.ignore_patterns("__pycache__"))
        for words in ("setup", "build", "build dev", "package", "demo", "test", "test --full", "check", "bench", "bench client",
                      "fuzz", "fuzz lane", "vm", "vm run"):
            ran = subprocess.run([os.path.join(folder, "dev"), *words.split(), "--help"], capture_output=True, text=True,
                                 check=False)
            if ran.returncode != 0 or "./dev" not in ran.stdout or ran.stderr:
                findings.add(own, 1, f"./dev {words} --help is no help: {ran.stderr.strip()}")
        if os.path.exists(os.path.join(folder, "build")):
            findings.add(own, 1, "./dev … --help builds")


def main():
    findings = tree.Findings("self")
    own = "tools/check_self.py"
    count = 1
    check_counting(findings)
    check_commit_messages(findings)
    check_help(findings, own)
    for text in check_comments.SENTENCES + check_comments.FRAGMENTS:
        count += 1
        if (check_comments.fault(text, 9) is None) != (text in check_comments.SENTENCES):
            findings.add("tools/check_comments.py", 1, f"takes for the other kind: {text}")
    for check, cases in CASES.items():
        for path, contents, expected in cases:
            status, output = run_case(check, path, contents)
            count += 1
            if status == tree.SKIPPED:
                continue
            # The tools themselves lie in the small tree too; what is said about them is not this case's.
            about_it = "\n".join(line for line in output.splitlines() if line.startswith(path))
            if expected is None and about_it:
                findings.add(own, 1, f"{check}: says of a good {path}: {about_it}")
            elif expected is not None and (status != 1 or expected not in about_it):
                findings.add(own, 1, f"{check}: does not find '{expected}' in {path}: {output.strip()}")
    findings.finish(f"{count} cases")


main()
