// SPDX-License-Identifier: BSD-2-Clause
// The command table: each family of commands adds its own to the parser, and the one that was chosen runs.
#pragma once

#include "program.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>
#include <utility>

namespace vfsproto::cli {

// What is to run, once the command line is parsed.
using Chosen = std::function<void(Program&)>;

using AddCommands = void (*)(CLI::App& app, Chosen& chosen);

void add_info(CLI::App& app, Chosen& chosen);
void add_listing(CLI::App& app, Chosen& chosen);    // ls, tree
void add_showing(CLI::App& app, Chosen& chosen);    // stat, cat, readlink, df
void add_copying(CLI::App& app, Chosen& chosen);    // get, put
void add_names(CLI::App& app, Chosen& chosen);      // mkdir, rmdir, rm, mv, ln
void add_attributes(CLI::App& app, Chosen& chosen); // chmod, chown, touch, truncate, sync
void add_xattrs(CLI::App& app, Chosen& chosen);     // xattr get, set, ls, rm
void add_bench(CLI::App& app, Chosen& chosen);
void add_device(CLI::App& app, Chosen& chosen); // device list, bind, unbind

// Adds a command whose options live as long as the parser. `describe(sub, options)` adds them, `run` gets them.
template <class Options, class Describe> CLI::App* add_command(CLI::App& app, Chosen& chosen, const std::string& name,
                                                               const std::string& help, Describe&& describe,
                                                               void (*run)(Program&, const Options&)) {
    CLI::App* sub = app.add_subcommand(name, help);
    auto options = std::make_shared<Options>();
    describe(*sub, *options);
    const std::string called = app.get_parent() == nullptr ? name : app.get_name() + ' ' + name;
    sub->callback([&chosen, options, called, run] {
        chosen = [options, called, run](Program& program) {
            program.set_command(called);
            run(program, *options);
        };
    });
    return sub;
}

} // namespace vfsproto::cli
