// SPDX-License-Identifier: BSD-2-Clause
// A suite of assertions about a directory, after POSIX.1-2017 and the pages of Linux where POSIX leaves a choice. It knows nothing of
// this project: it makes system calls in a directory, and says which of them did not do what the standard says.
#pragma once

#include <cerrno>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <sys/stat.h>
#include <sys/types.h>
#include <utility>
#include <vector>

namespace posix_suite {

// Where an assertion stands. The default argument of a function is evaluated where it is called.
struct Place {
    const char* file;
    unsigned line;
    static constexpr Place here(const char* file = __builtin_FILE(), unsigned line = __builtin_LINE()) {
        return {file, line};
    }
};

// A case asserts with this. One line of the source with passes(), fails(), equal() or holds() is one assertion, however often a loop
// makes it: it has failed if it failed once. Each case runs in a process of its own, in an empty directory, with umask 022, as the
// user who started the suite.
class Suite {
public:
    // `results` is where the process of the case tells what came out.
    Suite(std::string directory, int results) : directory_(std::move(directory)), results_(results) {}

    // Returns the path of a name in the directory of the case, absolute.
    [[nodiscard]] std::string path(std::string_view name) const { return directory_ + "/" + std::string(name); }
    [[nodiscard]] const std::string& directory() const { return directory_; }

    // A system call returned something else than -1. All of them return if the assertion holds.
    bool passes(std::string_view what, long result, Place at = Place::here());
    // A system call returned -1, with this error or with one of these. Read errno before anything else: `result` is the call itself.
    bool fails(std::string_view what, int error, long result, Place at = Place::here());
    bool fails(std::string_view what, std::initializer_list<int> errors, long result, Place at = Place::here());
    bool holds(std::string_view what, bool is_so, Place at = Place::here());
    template <class Got, class Wanted>
    bool equal(std::string_view what, const Got& got, const Wanted& wanted, Place at = Place::here()) {
        return tell(what, got == static_cast<Got>(wanted),
                    "got " + text(got) + ", wanted " + text(static_cast<Got>(wanted)), at);
    }
    // Says why the rest of the case cannot be asked here. The case returns after it.
    void skip(std::string_view reason);

    // Preparations, which are no assertions: they end the case as failed if they do not work.
    [[nodiscard]] int make_file(std::string_view name, std::string_view content = {},
                                mode_t mode = 0644) const; // O_RDWR, of the caller
    void write_file(std::string_view name, std::string_view content = {}, mode_t mode = 0644) const;
    void make_directory(std::string_view name, mode_t mode = 0755) const;
    [[nodiscard]] std::string read_file(std::string_view name) const;
    [[nodiscard]] struct stat status(std::string_view name) const;                   // lstat(2)
    [[nodiscard]] std::vector<std::string> names(std::string_view name = ".") const; // without "." and "..", sorted
    static void need(bool is_so, std::string_view what, Place at = Place::here());

    [[nodiscard]] static bool is_root();

private:
    template <std::integral T> static std::string text(T number) { return std::to_string(number); }
    static std::string text(const std::string& bytes) { return "\"" + bytes + "\""; }
    template <class T> static std::string text(const std::vector<T>& list) {
        std::string all = "[";
        for (const T& each : list) all += (all.size() > 1 ? ", " : "") + text(each);
        return all + "]";
    }
    bool tell(std::string_view what, bool is_so, const std::string& why, Place at);

    std::string directory_;
    int results_;
};

// Makes system calls as somebody else while it lives: only for cases that began with is_root(). Nothing else runs in the process.
class As {
public:
    As(uid_t user, gid_t group, std::vector<gid_t> groups = {});
    ~As();
    As(const As&) = delete;
    As& operator=(const As&) = delete;
};

inline constexpr uid_t kUser = 65'533; // users and groups nobody else has here
inline constexpr uid_t kOtherUser = 65'532;
inline constexpr gid_t kGroup = 65'533;
inline constexpr gid_t kOtherGroup = 65'532;

// A case is registered by its name before main() begins.
struct Case {
    Case(const char* name, void (*run)(Suite&));
    const char* name;
    void (*run)(Suite&);
};
[[nodiscard]] const std::vector<const Case*>& cases();

} // namespace posix_suite

#define POSIX_SUITE_JOIN2(a, b) a##b
#define POSIX_SUITE_JOIN(a, b) POSIX_SUITE_JOIN2(a, b)
#define POSIX_SUITE_CASE(name, number)                                                                                 \
    static void POSIX_SUITE_JOIN(run_, number)(posix_suite::Suite&);                                                   \
    static const posix_suite::Case POSIX_SUITE_JOIN(case_, number){name, POSIX_SUITE_JOIN(run_, number)};              \
    static void POSIX_SUITE_JOIN(run_, number)([[maybe_unused]] posix_suite::Suite & s)
// POSIX_CASE("what it is about") { s.passes("mkdir", ::mkdir(s.path("a").c_str(), 0755)); }
#define POSIX_CASE(name) POSIX_SUITE_CASE(name, __COUNTER__)
