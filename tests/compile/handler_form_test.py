# SPDX-License-Identifier: BSD-2-Clause
"""A handler that nearly fits its row is an error of the compiler, which names the row.

usage: handler_form_test.py COMPILER INCLUDE-DIRECTORY…
"""
import os, re, subprocess, sys

SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "handler_forms.cpp")


def compile_form(compiler, includes, form):
    command = [compiler, "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-DFORM=%s" % form]
    return subprocess.run(command + ["-I" + path for path in includes] + [SOURCE], capture_output=True, text=True)


def main():
    compiler, includes = sys.argv[1], sys.argv[2:]
    with open(SOURCE) as file:
        forms = re.findall(r"// FORM (\d+): (.*)", file.read())
    failed = 0
    for form, expected in forms:
        done = compile_form(compiler, includes, form)
        if expected.startswith("compiles"):
            wrong = "" if done.returncode == 0 else "it does not compile:\n" + done.stderr
        elif done.returncode == 0:
            wrong = "it compiles"
        else:
            # One compiler writes a row as {"GETATTR"}, another as Opcode::getattr.
            said = done.stderr.lower()
            missing = [words for words in expected.split(" | ") if words.lower() not in said]
            wrong = "no '%s' in:\n%s" % ("', '".join(missing), done.stderr) if missing else ""
        print("form %s (%s): %s" % (form, expected, wrong or "ok"))
        failed += bool(wrong)
    return 1 if failed or not forms else 0


sys.exit(main())
