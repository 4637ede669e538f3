// SPDX-License-Identifier: BSD-2-Clause
#include "commands.hpp"

#include <CLI/CLI.hpp>

#include <utility>

namespace vfsproto::cli {

Arguments Commands::add_command(const char* name, const char* help, Chosen run) {
    CLI::App* const command = app_.add_subcommand(name, help);
    const std::string called = app_.get_parent() == nullptr ? name : app_.get_name() + ' ' + name;
    command->callback([&chosen = chosen_, run = std::move(run), called] {
        chosen = [run, called](Program& program) {
            program.set_command(called);
            run(program);
        };
    });
    return Arguments(*command);
}

Commands Commands::add_family(const char* name, const char* help) {
    CLI::App* const family = app_.add_subcommand(name, help);
    family->require_subcommand(1);
    return {*family, chosen_};
}

} // namespace vfsproto::cli
