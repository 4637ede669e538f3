// SPDX-License-Identifier: BSD-2-Clause
// A directory, and the program on it: through the embedded server, or through a real virtiofsd.
#pragma once

#include "support/catch.hpp"
#include "support/program.hpp"
#include "support/scale.hpp"
#include "support/skip.hpp"
#include "support/virtiofsd.hpp"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace vfsproto::test {

[[nodiscard]] inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

enum class Server { embedded, virtiofsd, virtiofsd_rust };

class Share {
public:
    explicit Share(Server server) : server_(server) { std::filesystem::create_directory(path()); }

    // True when this server cannot be had, which is said then; or when it is left out.
    [[nodiscard]] bool missing() const {
        return server_ != Server::embedded && (leaves_daemons_out() || Virtiofsd::missing(daemon()));
    }

    [[nodiscard]] std::filesystem::path path() const { return scratch_.path() / "share"; }
    // Returns a path of this side, outside the share.
    [[nodiscard]] std::filesystem::path beside(const std::string& name) const { return scratch_.path() / name; }

    // A daemon serves one connection and leaves: every command gets one.
    [[nodiscard]] Ran run(std::vector<std::string> arguments, std::string_view input = {}) const;
    // The output of a command that has to succeed silently.
    [[nodiscard]] std::string output(const std::vector<std::string>& arguments, std::string_view input = {}) const;
    // The one line a command that has to fail says, without the newline.
    [[nodiscard]] std::string complaint(const std::vector<std::string>& arguments, int status = 1) const;

    void write(const std::string& name, std::string_view text) const;
    [[nodiscard]] std::string read(const std::string& name) const { return contents(path() / name); }
    [[nodiscard]] bool exists(const std::string& name) const;

    [[nodiscard]] static std::string contents(const std::filesystem::path& path);

private:
    // The daemons come at night where a sanitizer makes the program slow to start: it does the same with their answers in every
    // build.
    [[nodiscard]] static bool leaves_daemons_out();
    [[nodiscard]] Daemon daemon() const { return server_ == Server::virtiofsd ? Daemon::c : Daemon::rust; }

    ScratchDirectory scratch_;
    Server server_;
};

// Returns what lstat(2) says of a file of the share.
[[nodiscard]] struct stat status(const Share& share, const std::string& name);

} // namespace vfsproto::test
