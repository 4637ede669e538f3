// SPDX-License-Identifier: BSD-2-Clause
// posix_suite [--list] [--only TEXT] [--except FILE] DIRECTORY
// A line for each assertion that failed, one for each case that was skipped, and a total in Catch2's words. The exit status is 0 if
// none failed, 1 if some did, 2 for wrong usage.
//
// A line of FILE is an exception, and one that begins with # is a comment:
//   CASE: WHAT     this assertion fails; it is a failure if it holds
//   ? CASE: WHAT   this assertion may fail
//   CASE: *        this case is not run
#include "suite.hpp"

#include <cstdio>
#include <cstring>
#include <fstream>
#include <ftw.h>
#include <map>
#include <set>
#include <sys/wait.h>
#include <unistd.h>

namespace {

using posix_suite::Case;
using posix_suite::Suite;

constexpr unsigned kSecondsPerCase = 120;

struct Assertion {
    std::string what;
    std::string failure; // empty: it holds
};

struct Totals {
    std::size_t passed = 0;
    std::size_t failed = 0;
    std::size_t excepted = 0;
    std::size_t left_out = 0;
    std::size_t skipped = 0;
    std::size_t cases = 0;
    std::size_t failed_cases = 0;
};

struct Options {
    std::string only;
    std::set<std::string> failing;  // "case: what"
    std::set<std::string> may_fail; // the same
    std::set<std::string> left_out; // names of cases
    std::string directory;
};

int remove_entry(const char* path, const struct stat*, int, FTW*) {
    if (::remove(path) != 0) static_cast<void>(::chmod(path, 0700)), static_cast<void>(::remove(path));
    return 0;
}

void remove_tree(const std::string& path) {
    constexpr int kDescriptors = 16;
    for (int tries = 0; tries < 2; ++tries)
        static_cast<void>(::nftw(path.c_str(), remove_entry, kDescriptors, FTW_DEPTH | FTW_PHYS));
}

std::string read_to_end(int from) {
    std::string all;
    char piece[4096];
    for (;;) {
        const ssize_t got = ::read(from, piece, sizeof piece);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return all;
        all.append(piece, static_cast<std::size_t>(got));
    }
}

std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> fields;
    while (true) {
        const std::size_t tab = line.find('\t');
        fields.emplace_back(line.substr(0, tab));
        if (tab == std::string_view::npos) return fields;
        line.remove_prefix(tab + 1);
    }
}

void fail(const Options& options, const Case& of, const std::string& what, const std::string& why,
          const std::string& place, Totals& totals) {
    const std::string name = std::string(of.name) + ": " + what;
    if (options.failing.contains(name) || options.may_fail.contains(name)) {
        ++totals.excepted;
        return;
    }
    ++totals.failed;
    std::printf("FAILED %s: %s: %s (%s)\n", of.name, what.c_str(), why.c_str(), place.c_str());
}

void count(const Options& options, const Case& of, std::string_view lines, int status, Totals& totals) {
    std::map<std::string, Assertion> found; // by place
    while (!lines.empty()) {
        const std::size_t end = lines.find('\n');
        const std::vector<std::string> fields = fields_of(lines.substr(0, end));
        lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 1);
        if (fields.size() < 4) continue;
        if (fields[0] == "skipped") {
            ++totals.skipped;
            std::printf("skipped: %s: %s\n", of.name, fields[2].c_str());
            continue;
        }
        Assertion& each = found[fields[1]];
        if (!each.failure.empty()) continue;
        each.what = fields[2];
        if (fields[0] != "passed") each.failure = fields[3];
    }
    for (const auto& [place, each] : found) {
        if (each.failure.empty() && options.failing.contains(std::string(of.name) + ": " + each.what)) {
            ++totals.failed;
            std::printf("FAILED %s: %s: it holds, although it is a known exception (%s)\n", of.name, each.what.c_str(),
                        place.c_str());
        } else if (each.failure.empty()) {
            ++totals.passed;
        } else {
            fail(options, of, each.what, each.failure, place, totals);
        }
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
    const std::string why =
        WIFSIGNALED(status) ? std::string("killed by ") + ::strsignal(WTERMSIG(status)) : "could not be prepared";
    fail(options, of, "the case ends", why, "-", totals);
}

void run(const Options& options, const Case& each, std::size_t number, Totals& totals) {
    const std::string directory =
        options.directory + "/posix_suite." + std::to_string(::getpid()) + "." + std::to_string(number);
    int results[2];
    if (::mkdir(directory.c_str(), 0777) != 0 || ::pipe(results) != 0) {
        fail(options, each, "the case begins", std::strerror(errno), "-", totals);
        return;
    }
    static_cast<void>(::chmod(directory.c_str(), 0777)); // for those who play other users
    std::fflush(stdout);
    const pid_t child = ::fork();
    if (child == 0) {
        ::close(results[0]);
        ::alarm(kSecondsPerCase);
        ::umask(022);
        Suite suite(directory, results[1]);
        if (::chdir(directory.c_str()) == 0) each.run(suite);
        std::_Exit(0);
    }
    ::close(results[1]);
    const std::string lines = read_to_end(results[0]);
    ::close(results[0]);
    int status = 0;
    while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {}
    count(options, each, lines, status, totals);
    remove_tree(directory);
}

bool read_exceptions(const char* path, Options& to) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) {
        if (line.empty() || line[0] == '#') continue;
        if (line.ends_with(": *")) {
            to.left_out.insert(line.substr(0, line.size() - 3));
        } else if (line.starts_with("? ")) {
            to.may_fail.insert(line.substr(2));
        } else {
            to.failing.insert(line);
        }
    }
    return file.eof();
}

int usage() {
    std::fputs("usage: posix_suite [--list] [--only TEXT] [--except FILE] DIRECTORY\n", stderr);
    return 2;
}

} // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--list") {
            for (const Case* each : posix_suite::cases()) std::printf("%s\n", each->name);
            return 0;
        }
        if (word == "--only" && i + 1 < argc) {
            options.only = argv[++i];
        } else if (word == "--except" && i + 1 < argc) {
            if (!read_exceptions(argv[++i], options)) return usage();
        } else if (word.starts_with("-") || !options.directory.empty()) {
            return usage();
        } else {
            char* const whole = ::realpath(argv[i], nullptr);
            if (whole == nullptr) return std::perror(argv[i]), 2;
            options.directory = whole;
            std::free(whole);
        }
    }
    if (options.directory.empty()) return usage();
    Totals totals;
    for (const Case* each : posix_suite::cases()) {
        if (std::string_view(each->name).find(options.only) == std::string_view::npos) continue;
        if (options.left_out.contains(each->name)) {
            ++totals.left_out;
            continue;
        }
        const std::size_t failed = totals.failed;
        run(options, *each, ++totals.cases, totals);
        totals.failed_cases += totals.failed != failed ? 1 : 0;
    }
    if (totals.excepted + totals.left_out != 0) {
        std::printf("known exceptions: %zu assertions, and %zu cases that were not run\n", totals.excepted,
                    totals.left_out);
    }
    if (totals.failed == 0) {
        std::printf("All tests passed (%zu assertions in %zu test cases)\n", totals.passed, totals.cases);
        return 0;
    }
    std::printf("assertions: %zu passed, %zu failed\n", totals.passed, totals.failed);
    std::printf("test cases: %zu | %zu failed\n", totals.cases, totals.failed_cases);
    return 1;
}
