// SPDX-License-Identifier: BSD-2-Clause
// The commands xattr get, set, ls and rm are here.
#include "commands.hpp"
#include "escape.hpp"
#include "interrupt.hpp"
#include "json.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace vfsproto::cli {
namespace {

struct XattrOptions {
    std::string path;
    std::string name;
    std::string value;
    bool has_value = false;
    bool no_follow = false;
    bool create = false;
    bool replace = false;

    [[nodiscard]] posix::LastLink last() const { return no_follow ? posix::LastLink::keep : posix::LastLink::follow; }
};

void run_get(Program& program, const XattrOptions& options) {
    const auto value = program.mount().get_xattr(options.path, options.name, options.last());
    if (!program.succeeded(options.path, value)) return;
    if (!program.wants_json()) {
        program.out().write(std::span<const std::byte>(*value));
        // A pipe gets exactly the value.
        if (program.out().is_terminal()) program.out().write("\n");
        return;
    }
    Json object;
    add_text(object, "path", options.path);
    add_text(object, "name", options.name);
    object.set("size", value->size());
    object.set("value", to_base64(*value));
    print_json(program, object);
}

// Says how changing an attribute went.
void print_changed(Program& program, const XattrOptions& options, const posix::Failure& failure) {
    if (!program.succeeded(options.path, failure) || !program.wants_json()) return;
    Json object;
    add_text(object, "path", options.path);
    add_text(object, "name", options.name);
    print_json(program, object);
}

std::vector<std::byte> read_standard_input(Program& program) {
    std::vector<std::byte> all;
    std::array<std::byte, 4096> piece{};
    const LocalCall may_wait;
    for (;;) {
        const ssize_t count = ::read(STDIN_FILENO, piece.data(), piece.size());
        if (count < 0 && errno == EINTR && !program.stopping()) continue;
        if (count < 0) {
            program.report(Subject::other("standard input"), local_failure(errno));
            throw Leave{ExitCode::failed};
        }
        if (count == 0 || all.size() > abi::kXattrSizeMax) return all;
        all.insert(all.end(), piece.begin(), piece.begin() + count);
    }
}

void run_set(Program& program, const XattrOptions& options) {
    std::vector<std::byte> value;
    if (options.has_value) {
        const auto bytes = std::as_bytes(std::span(options.value));
        value.assign(bytes.begin(), bytes.end());
    } else {
        value = read_standard_input(program);
    }
    auto space = posix::XattrSpace::create_or_replace;
    if (options.create) space = posix::XattrSpace::create;
    if (options.replace) space = posix::XattrSpace::replace;
    const auto failure = program.mount().set_xattr(options.path, options.name, value, space, options.last());
    print_changed(program, options, failure);
}

void run_ls(Program& program, const XattrOptions& options) {
    auto names = program.mount().list_xattrs(options.path, options.last());
    if (!program.succeeded(options.path, names)) return;
    std::sort(names->begin(), names->end());
    for (const std::string& name : *names) {
        if (program.wants_json()) {
            Json object;
            add_text(object, "path", options.path);
            add_text(object, "name", name);
            print_json(program, object);
        } else {
            program.out().print("{}\n", program.out().name(name));
        }
    }
}

void run_rm(Program& program, const XattrOptions& options) {
    const auto failure = program.mount().remove_xattr(options.path, options.name, options.last());
    print_changed(program, options, failure);
}

void describe_file(Arguments& sub, XattrOptions& options) {
    sub.add_option("path", options.path, "the file").required();
    sub.add_flag("-h,--no-dereference,-P,--no-follow", options.no_follow,
                 "a symbolic link itself, not what it points to");
}

void describe_one(Arguments& sub, XattrOptions& options) {
    describe_file(sub, options);
    sub.add_option("name", options.name, "its name, as user.comment").required();
}

} // namespace

void add_xattrs(Commands& commands) {
    Commands family = commands.add_family("xattr", "Extended attributes");
    family.add<XattrOptions>({"get", "Write a value to standard output"}, describe_one, run_get);
    family.add<XattrOptions>(
        {"set", "Set a value", Effect::changes},
        [](Arguments& sub, XattrOptions& options) {
            describe_one(sub, options);
            sub.add_word(
                "value",
                [&options](const std::string& value) {
                    options.value = value;
                    options.has_value = true;
                    return true;
                },
                "the value (standard input, if it is not given)");
            const Argument create = sub.add_flag("--create", options.create, "fail if there is one");
            sub.add_flag("--replace", options.replace, "fail if there is none").excludes(create);
        },
        run_set);
    family.add<XattrOptions>({"ls", "List names"}, describe_file, run_ls);
    family.add<XattrOptions>({"rm", "Remove one", Effect::changes}, describe_one, run_rm);
}

} // namespace vfsproto::cli
