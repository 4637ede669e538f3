// SPDX-License-Identifier: BSD-2-Clause
// The command table: each family adds its commands to the parser, and the one that was chosen runs.
#pragma once

#include "arguments.hpp"
#include "program.hpp"

#include <functional>
#include <memory>

namespace vfsproto::cli {

// The command that the command line names. Empty until it is parsed.
using Chosen = std::function<void(Program&)>;

// Takes the commands of one parser, or of one command that has commands of its own. Both references outlive the parsing.
class Commands {
public:
    Commands(CLI::App& app, Chosen& chosen) noexcept : app_(app), chosen_(chosen) {}

    // Adds a command. Its options live as long as the parser: `describe` adds them, `run` gets them.
    template <class Options> void add(const char* name, const char* help, void (*describe)(Arguments&, Options&),
                                      void (*run)(Program&, const Options&)) {
        const auto options = std::make_shared<Options>();
        Arguments arguments = add_command(name, help, [options, run](Program& program) { run(program, *options); });
        describe(arguments, *options);
    }
    // Adds a command without options.
    void add(const char* name, const char* help, void (*run)(Program&)) { add_command(name, help, run); }
    // Adds a command that needs one of its own commands after it.
    [[nodiscard]] Commands add_family(const char* name, const char* help);

private:
    Arguments add_command(const char* name, const char* help, Chosen run);

    CLI::App& app_;
    Chosen& chosen_;
};

void add_info(Commands& commands);
void add_ls(Commands& commands);
void add_tree(Commands& commands);
void add_cat(Commands& commands);
void add_showing(Commands& commands); // stat, readlink, df
void add_copying(Commands& commands); // get, put
void add_names(Commands& commands);   // mkdir, rmdir, mv, ln
void add_rm(Commands& commands);
void add_attributes(Commands& commands); // chmod, chown, touch, truncate, sync
void add_xattrs(Commands& commands);     // xattr get, set, ls, rm
void add_bench(Commands& commands);
void add_device(Commands& commands); // device list, bind, unbind

} // namespace vfsproto::cli
