# SPDX-License-Identifier: BSD-2-Clause
"""Mutants of C++ source: where an operator, a constant, a condition or a statement could be another one, from the syntax
tree of clang. All of them stand in one form of the source, as calls of tools/mutants/mutant.hpp with the mutant's number."""

import json
import os
import re
import subprocess

COMPARE = {"<": ("less", "<=", ">="), "<=": ("at_most", "<", ">"), ">": ("more", ">=", "<="), ">=": ("at_least", ">", "<")}
BINARY = {"==": ("equal", "!="), "!=": ("differ", "=="), "+": ("plus", "-"), "-": ("minus", "+"), "*": ("times", "+"),
          "/": ("over", "*"), "%": ("modulo", "+"), "&": ("bit_and", "|"), "|": ("bit_or", "&"), "^": ("bit_xor", "|"),
          "<<": ("left", ">>"), ">>": ("right", "<<")}
ASSIGN = {"+=": ("add_to", "-="), "-=": ("take_from", "+="), "|=": ("or_to", "&="), "&=": ("and_to", "|="),
          "^=": ("xor_to", "|=")}
STEP = {("++", False): ("pre_up", "--"), ("--", False): ("pre_down", "++"), ("++", True): ("post_up", "--"),
        ("--", True): ("post_down", "++")}
FUNCTIONS = ("FunctionDecl", "CXXMethodDecl", "CXXConstructorDecl")
# Evaluated when the code is compiled, or not written where they seem to be.
SKIPPED = ("ConstantExpr", "StaticAssertDecl", "TemplateArgument", "CXXDefaultInitExpr", "CXXDefaultArgExpr",
           "TypeTraitExpr", "NonTypeTemplateParmDecl", "ParmVarDecl", "FieldDecl", "SubstNonTypeTemplateParmExpr",
           "ConceptSpecializationExpr", "RequiresExpr")
CALLS = ("CallExpr", "CXXMemberCallExpr", "CXXOperatorCallExpr")
WRAPPERS = ("ImplicitCastExpr", "ExprWithCleanups", "MaterializeTemporaryExpr")


class Mutant:
    """`change` says what differs without the names of the code: "< => <=", "left out", "never" …."""

    def __init__(self, path, function, line, before, after, kind, change):
        self.path, self.function, self.line = path, function, line
        self.before, self.after, self.kind, self.change = before, after, kind, change
        self.number = self.offset = 0

    def key(self):
        return (self.path, self.function, self.before, self.after)


class Source:
    """One file, and what is to be inserted and replaced in it."""

    def __init__(self, root, path):
        self.path = path
        with open(os.path.join(root, path), encoding="utf-8") as stream:
            self.text = stream.read()
        self.raw = self.text.encode()
        self.before, self.behind, self.replaced = {}, {}, {}
        self.sites = set()

    def piece(self, begin, end):
        return self.raw[begin:end].decode()

    def put(self, begin, prefix, end, suffix):
        # An outer place is seen before those inside it.
        self.before.setdefault(begin, []).append(prefix)
        self.behind.setdefault(end, []).insert(0, suffix)

    def line(self, offset):
        return self.raw.count(b"\n", 0, offset) + 1

    def around(self, begin, end, replacement):
        """The whole statement or line, without the space around it, before and after."""
        first = self.raw.rfind(b"\n", 0, begin) + 1
        last = self.raw.find(b"\n", end)
        last = len(self.raw) if last < 0 else last
        squeeze = lambda text: " ".join(re.sub(r"//[^\n]*", "", text).split())
        return (squeeze(self.piece(first, last)),
                squeeze(self.piece(first, begin) + replacement + self.piece(end, last)))

    def mutated(self):
        out = []
        at = 0
        # What is replaced lies between two operands, and what is inserted at its edges belongs to them.
        for offset in sorted(set(self.before) | set(self.behind) | set(self.replaced)):
            if offset < at:
                raise RuntimeError(f"{self.path}: overlapping places at {offset}")
            out.append(self.piece(at, offset))
            out.extend(self.behind.get(offset, ()))
            out.extend(self.before.get(offset, ()))
            at = offset
            if offset in self.replaced:
                at, text = self.replaced[offset]
                out.append(text)
        out.append(self.piece(at, len(self.raw)))
        return "".join(out)


class Mutator:
    def __init__(self, root, paths):
        self.root = root
        self.sources = {path: Source(root, path) for path in paths}
        self.mutants = []
        self.file = self.function = None

    def read(self, path, flags):
        dump = subprocess.run(["clang++-14", *flags, "-fsyntax-only", "-Xclang", "-ast-dump=json", path], cwd=self.root,
                              check=True, capture_output=True, text=True).stdout
        self.file = None
        unit = json.loads(dump)
        self.locate(unit)
        self.functions(unit)

    # Where a node stands: clang names a file only when it is another than the last one it named.
    def place(self, loc):
        if "expansionLoc" in loc or "spellingLoc" in loc:
            for inner in ("spellingLoc", "expansionLoc"):
                if inner in loc:
                    self.place(loc[inner])
            return None
        if "file" in loc:
            self.file = loc["file"]
        if "offset" not in loc:
            return None
        return self.file, loc["offset"], loc["offset"] + loc["tokLen"]

    def locate(self, node):
        node["where"] = None
        for key, value in node.items():
            if key == "loc":
                self.place(value)
            elif key == "range":
                begin = self.place(value.get("begin", {}))
                end = self.place(value.get("end", {}))
                if begin and end and begin[0] == end[0] and begin[0] in self.sources:
                    node["where"] = (self.sources[begin[0]], begin[1], end[2])
        node["children"] = [child for child in node.get("inner", ()) if child]
        for child in node["children"]:
            self.locate(child)

    def functions(self, node):
        kind = node.get("kind", "")
        children = node["children"]
        if node.get("isImplicit") or node.get("explicitlyDefaulted"):
            return
        if kind == "FunctionTemplateDecl":  # the pattern, and not again for each instance
            children = [child for child in children if child.get("kind") in FUNCTIONS][:1]
        for child in children:
            if kind in FUNCTIONS and child.get("kind") == "CompoundStmt":
                self.function = node.get("name")
                self.body(child)
            elif kind not in FUNCTIONS:
                self.functions(child)

    # Inside a function, outer places first.
    def body(self, node, parent=None):
        kind = node.get("kind", "")
        children = node["children"]
        if kind in SKIPPED or (kind == "VarDecl" and node.get("constexpr")):
            return
        if kind == "LambdaExpr":
            children = [child for child in children if child.get("kind") == "CompoundStmt"]
        elif kind == "CXXForRangeStmt":
            children = children[-1:]
        if node["where"]:
            self.consider(node, kind, children, parent)
        for child in children:
            if not (kind == "IfStmt" and node.get("isConstexpr") and child is children[0]):
                self.body(child, node)

    def add(self, source, begin, end, replacement, kind, change):
        before, after = source.around(begin, end, replacement)
        mutant = Mutant(source.path, self.function, source.line(begin), before, after, kind, change)
        mutant.number = len(self.mutants) + 1
        mutant.offset = begin
        self.mutants.append(mutant)
        return mutant.number

    def wrap(self, source, begin, end, replacements, call, kind, changes=None):
        """A call around a whole expression; replacements: what each of the mutants looks like."""
        if (begin, end, call) in source.sites:
            return
        source.sites.add((begin, end, call))
        text = source.piece(begin, end)
        changes = changes or [f"{text} => {replacement}" for replacement in replacements]
        number = [self.add(source, begin, end, *each) for each in zip(replacements, [kind] * len(changes), changes)][0]
        source.put(begin, f"vmut::{call}({number}, ", end, ")")

    def consider(self, node, kind, children, parent):
        source, begin, end = node["where"]
        text = source.piece(begin, end)
        if self.is_statement(node, kind, parent):
            self.delete(source, begin, end, kind)
        if kind in ("BinaryOperator", "CompoundAssignOperator"):
            self.operator(source, node, children)
        elif kind == "UnaryOperator":
            self.unary(source, node, begin, end, text)
        elif kind in ("IfStmt", "WhileStmt", "ConditionalOperator", "ForStmt"):
            self.condition(node, kind, children)
        elif kind == "IntegerLiteral":
            value = int(re.sub(r"[uUlL']", "", text), 0)
            base = re.sub(r"[uUlL]+$", "", text)
            suffix = text[len(base):]
            if value == 0:
                self.wrap(source, begin, end, [f"1{suffix}"], "zero", "constant")
            else:
                self.wrap(source, begin, end, [f"{value + 1:#x}{suffix}" if "x" in base else f"{value + 1}{suffix}",
                                               f"{value - 1:#x}{suffix}" if "x" in base else f"{value - 1}{suffix}"],
                          "literal", "constant")
        elif kind == "CXXBoolLiteralExpr":
            self.wrap(source, begin, end, ["false" if text == "true" else "true"], "turned", "constant")
        elif kind in ("DeclRefExpr", "MemberExpr", "UnaryExprOrTypeTraitExpr"):
            named = node.get("referencedDecl", {})
            if named.get("kind") == "EnumConstantDecl":
                self.wrap(source, begin, end, [f"next({text})"], "constant", "constant", ["next"])
            elif named.get("kind") == "VarDecl" and re.match(r"k[A-Z]", named.get("name", "")) and \
                    not re.search(r"\b[A-Z]\w*$", node["type"]["qualType"]):  # a number, no struct
                self.wrap(source, begin, end, [f"2 * {text}"], "constant", "constant", ["doubled"])
            elif kind == "UnaryExprOrTypeTraitExpr" and text.startswith("sizeof"):
                self.wrap(source, begin, end, [f"2 * {text}"], "constant", "constant", ["doubled"])
        elif kind in CALLS:
            self.ordering(source, begin, text)

    @staticmethod
    def is_statement(node, kind, parent):
        if parent is None:
            return False
        over = parent.get("kind")
        if over not in ("CompoundStmt", "IfStmt", "ForStmt", "WhileStmt", "CXXForRangeStmt", "AttributedStmt"):
            return False
        if over == "AttributedStmt":
            return kind in ("BreakStmt", "ContinueStmt", "ReturnStmt") and not node.get("children")
        children = parent["children"]
        if over == "IfStmt" and node is children[0]:
            return False
        if over == "WhileStmt" and node is children[0]:
            return False
        if over in ("ForStmt", "CXXForRangeStmt") and node is not children[-1]:
            return False
        if kind == "ReturnStmt":
            return not node.get("children")
        return kind in ("BinaryOperator", "CompoundAssignOperator", "UnaryOperator", "BreakStmt", "ContinueStmt",
                        "ExprWithCleanups") + CALLS

    def delete(self, source, begin, end, kind):
        if (begin, end, "delete") in source.sites:
            return
        source.sites.add((begin, end, "delete"))
        is_jump = kind in ("BreakStmt", "ContinueStmt", "ReturnStmt")
        stop = source.raw.index(b";", end) + 1
        number = self.add(source, begin, stop, "", "statement", "left out")
        if is_jump:
            source.put(begin, f"{{ if (!vmut::active({number})) ", stop, "}")
        else:
            source.put(begin, f"(vmut::active({number}) ? void() : void(", end, "))")

    def operator(self, source, node, children):
        op = node.get("opcode")
        left, right = (child.get("where") for child in children)
        if not left or not right or left[0] is not source or right[0] is not source:
            return
        begin, gap, gap_end, end = left[1], left[2], right[1], right[2]
        if (begin, end, op) in source.sites:
            return
        source.sites.add((begin, end, op))
        types = [child.get("type", {}).get("qualType", "") for child in children]

        def with_operator(other):
            return source.piece(begin, gap) + f" {other} " + source.piece(gap_end, end)
        if op in COMPARE:
            call, near, opposite = COMPARE[op]
            operands = [source.piece(begin, gap), source.piece(gap_end, end)]
            chosen = re.match(r"\s*\?([^:;]*):([^:;]*);", source.piece(end, end + 200))
            if chosen and sorted(part.strip(" )") for part in operands) == sorted(part.strip(" )") for part in chosen.groups()):
                call = "only_" + call  # the smaller of two: of equal ones it is no matter which
            else:
                self.add(source, begin, end, with_operator(near), "comparison", f"{op} => {near}")
            number = self.add(source, begin, end, with_operator(opposite), "comparison", f"{op} => {opposite}")
            number -= not call.startswith("only_")
        elif op in ("&&", "||"):
            other = "||" if op == "&&" else "&&"
            number = self.add(source, begin, end, with_operator(other), "logic", f"{op} => {other}")
            active = f"vmut::active({number})"
            source.put(begin, "(((static_cast<bool>(", end, f") != {active})) != {active})")
            source.replaced[gap] = (gap_end, f") != {active}) {op} (static_cast<bool>(")
            return
        elif op in BINARY:
            if op in ("+", "-") and types[0].rstrip("const ").endswith("*") and types[1].rstrip("const ").endswith("*"):
                return
            call, other = BINARY[op]
            number = self.add(source, begin, end, with_operator(other), "comparison" if "=" in op else "arithmetic",
                              f"{op} => {other}")
        elif op in ASSIGN:
            call, other = ASSIGN[op]
            number = self.add(source, begin, end, with_operator(other), "arithmetic", f"{op} => {other}")
        else:
            return
        source.put(begin, f"vmut::{call}({number}, ", end, ")")
        source.replaced[gap] = (gap_end, ", ")

    def unary(self, source, node, begin, end, text):
        op = node.get("opcode")
        operand = node["children"][0].get("where")
        if not operand or operand[0] is not source or (begin, end, op) in source.sites:
            return
        inner = source.piece(operand[1], operand[2])
        if op in ("++", "--"):
            is_postfix = bool(node.get("isPostfix"))
            call, other = STEP[op, is_postfix]
            replacement = inner + other if is_postfix else other + inner
        elif op == "!":
            call, replacement = "negation", inner
        elif op == "~":
            call, replacement = "complement", inner
        else:
            return
        source.sites.add((begin, end, op))
        number = self.add(source, begin, end, replacement, "arithmetic" if op != "!" else "condition",
                          f"{op} => {STEP[op, is_postfix][1]}" if op in ("++", "--") else f"{op} dropped")
        source.put(begin, f"vmut::{call}({number}, ", end, ")")
        if begin < operand[1]:
            source.replaced[begin] = (operand[1], "")
        else:
            source.replaced[operand[2]] = (end, "")

    def condition(self, node, kind, children):
        if node.get("isConstexpr") or node.get("hasInit") or node.get("hasVar"):
            return
        asked = children[0]
        if kind == "ForStmt":
            asked = next((child for child in children[:-1] if child.get("type", {}).get("qualType") == "bool"), None)
        if asked is None or not asked.get("where"):
            return
        source, begin, end = asked["where"]
        bare = asked
        while bare.get("kind") in WRAPPERS and len(bare.get("children", ())) == 1:
            bare = bare["children"][0]
        text = source.piece(begin, end)
        is_comparison = bare.get("kind") == "BinaryOperator" and (bare.get("opcode") in COMPARE or
                                                                 bare.get("opcode") in ("==", "!="))
        if not is_comparison and bare.get("opcode") != "!":
            self.wrap(source, begin, end, [f"!({text})"], "turned", "condition", ["turned"])
        if kind != "ConditionalOperator":
            self.wrap(source, begin, end, ["false"], "never", "statement", ["never"])

    def ordering(self, source, begin, text):
        match = re.match(r"(load_acquire|store_release)\(", text)
        if not match or (begin, begin, "ordering") in source.sites:
            return
        source.sites.add((begin, begin, "ordering"))
        weaker = {"load_acquire": "load_relaxed", "store_release": "store_relaxed"}[match.group(1)]
        stop = begin + len(match.group(0))
        number = self.add(source, begin, stop, weaker + "(", "ordering",
                          match.group(1).partition("_")[2] + " => relaxed")
        source.replaced[begin] = (stop, f"vmut::{match.group(1)}({number}, ")
