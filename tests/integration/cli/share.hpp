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
    [[nodiscard]] Ran run(std::vector<std::string> arguments, std::string_view input = {}) const {
        if (server_ == Server::embedded) {
            arguments.insert(arguments.begin(), {"--device", "dir:" + path().string()});
            return run_program(arguments, input);
        }
        Virtiofsd served(daemon(), {"xattr"}, path());
        arguments.insert(arguments.begin(), {"--device", "vhost-user:" + served.socket()});
        Ran ran = run_program(arguments, input);
        if (served.kill_unless_connected()) return ran; // the command was refused before that
        // A daemon that dies of us is our failure, whatever the program says.
        if (const int status = served.wait(); status != 0) ran.err += "\nvirtiofsd left with " + std::to_string(status);
        return ran;
    }
    // The output of a command that has to succeed silently.
    [[nodiscard]] std::string output(const std::vector<std::string>& arguments, std::string_view input = {}) const {
        const Ran ran = run(arguments, input);
        INFO(arguments.front());
        CHECK(ran.err == "");
        CHECK(ran.status == 0);
        return ran.out;
    }
    // The one line a command that has to fail says, without the newline.
    [[nodiscard]] std::string complaint(const std::vector<std::string>& arguments, int status = 1) const {
        const Ran ran = run(arguments);
        INFO(arguments.front() << " said: " << ran.err);
        CHECK(ran.status == status);
        REQUIRE(ran.err.find('\n') + 1 == ran.err.size());
        return ran.err.substr(0, ran.err.size() - 1);
    }

    void write(const std::string& name, std::string_view text) const {
        std::ofstream(path() / name, std::ios::binary) << text;
    }
    [[nodiscard]] std::string read(const std::string& name) const { return contents(path() / name); }
    [[nodiscard]] bool exists(const std::string& name) const {
        return std::filesystem::exists(std::filesystem::symlink_status(path() / name));
    }

    [[nodiscard]] static std::string contents(const std::filesystem::path& path) {
        std::ostringstream text;
        text << std::ifstream(path, std::ios::binary).rdbuf();
        return text.str();
    }

private:
    // The daemons come at night where a sanitizer makes the program slow to start: it does the same with their answers in every
    // build.
    [[nodiscard]] static bool leaves_daemons_out() {
        static const bool left_out = [] {
            if (!is_slow() || is_nightly()) return false;
            skip("commands through both daemons: in this build at night only");
            return true;
        }();
        return left_out;
    }
    [[nodiscard]] Daemon daemon() const { return server_ == Server::virtiofsd ? Daemon::c : Daemon::rust; }

    ScratchDirectory scratch_;
    Server server_;
};

// Returns what lstat(2) says of a file of the share.
[[nodiscard]] inline struct stat status(const Share& share, const std::string& name) {
    struct stat info{};
    REQUIRE(::lstat((share.path() / name).c_str(), &info) == 0);
    return info;
}

} // namespace vfsproto::test
