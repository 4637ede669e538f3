// SPDX-License-Identifier: BSD-2-Clause
// The command table: each family adds its commands to the parser, and the one that was chosen runs.
#pragma once

#include "command_line.hpp"
#include "program.hpp"

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

namespace vfsproto::cli {

// The command that the command line names. Empty until it is parsed.
using Chosen = std::function<void(Program&)>;

// Says what a command does. One that changes files of the device takes no device that was not named. One that writes files, there
// or here, takes nothing for what was kept of earlier answers (--cache): what it replaces or removes is what is there now.
enum class Effect : std::uint8_t { reads, writes_here, changes };

struct CommandName {
    const char* name;
    const char* help;
    Effect effect = Effect::reads;
};

// Takes the commands of one level. `chosen` outlives the parsing.
class Commands {
public:
    Commands(CommandLevel level, Chosen& chosen) noexcept : level_(level), chosen_(chosen) {}

    // Adds a command. Its options live as long as the parser: `describe` adds them where a line needs them, `run` gets them.
    template <class Options>
    void add(const CommandName& name, void (*describe)(Arguments&, Options&), void (*run)(Program&, const Options&)) {
        add_described<Options>(name, describe, run);
    }
    // Adds a command whose description needs more than the command.
    template <class Options> void add_described(const CommandName& name,
                                                std::function<void(Arguments&, Options&)> describe,
                                                void (*run)(Program&, const Options&)) {
        const auto options = std::make_shared<Options>();
        add_command(
            name, [options, run](Program& program) { run(program, *options); },
            [options, describe = std::move(describe)](Arguments arguments) { describe(arguments, *options); });
    }
    // Adds a command without options.
    void add(const CommandName& name, Chosen run) { add_command(name, std::move(run), nullptr); }
    // Adds a command that needs one of its own commands after it.
    [[nodiscard]] Commands add_family(const char* name, const char* help) {
        return {level_.add_family(name, help), chosen_};
    }

private:
    void add_command(const CommandName& name, Chosen run, Describe describe) {
        const auto choose = [&chosen = chosen_, effect = name.effect, run = std::move(run)](const std::string& called) {
            chosen = [effect, run, called](Program& program) {
                program.set_command(called);
                program.look_anew(effect != Effect::reads);
                if (effect == Effect::changes) program.require_named_device();
                run(program);
            };
        };
        level_.add(name.name, name.help, choose, std::move(describe));
    }

    CommandLevel level_;
    Chosen& chosen_;
};

void add_info(Commands& commands);
void add_stats(Commands& commands);
void add_ls(Commands& commands);
void add_tree(Commands& commands);
void add_cat(Commands& commands);
void add_head_and_tail(Commands& commands);
void add_sha256sum(Commands& commands);
void add_du(Commands& commands);
void add_find(Commands& commands);
void add_watch(Commands& commands);
void add_showing(Commands& commands); // stat, readlink, df
void add_copying(Commands& commands); // get, put, cp
void add_sync_tree(Commands& commands);
void add_names(Commands& commands); // mkdir, rmdir
void add_mv(Commands& commands);
void add_ln(Commands& commands);
void add_rm(Commands& commands);
void add_attributes(Commands& commands); // chmod, chown, truncate, sync
void add_touch(Commands& commands);
void add_locks(Commands& commands);  // flock, lock
void add_xattrs(Commands& commands); // xattr get, set, ls, rm
void add_bench(Commands& commands);
void add_device(Commands& commands); // device list, bind, unbind
// Adds all of the above, in the order of the help.
void add_single_commands(Commands& commands);

// Adds cd and pwd, which mean nothing where one command runs alone.
void add_directory_commands(Commands& commands);

// These run other commands.
void add_run(Commands& commands);
void add_shell(Commands& commands);

// Adds mount, which needs a connection of its own.
void add_mount(Commands& commands);
// Adds serve, which needs none.
void add_serve(Commands& commands);

void add_self_description(Commands& commands, CommandLine& line); // manual, completion

} // namespace vfsproto::cli
