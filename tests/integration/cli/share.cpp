// SPDX-License-Identifier: BSD-2-Clause
#include "integration/cli/share.hpp"

#include <fstream>
#include <sstream>
#include <utility>

namespace vfsproto::test {

Ran Share::run(std::vector<std::string> arguments, std::string_view input) const {
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

std::string Share::output(const std::vector<std::string>& arguments, std::string_view input) const {
    const Ran ran = run(arguments, input);
    INFO(arguments.front());
    CHECK(ran.err == "");
    CHECK(ran.status == 0);
    return ran.out;
}

std::string Share::complaint(const std::vector<std::string>& arguments, int status) const {
    const Ran ran = run(arguments);
    INFO(arguments.front() << " said: " << ran.err);
    CHECK(ran.status == status);
    REQUIRE(ran.err.find('\n') + 1 == ran.err.size());
    return ran.err.substr(0, ran.err.size() - 1);
}

void Share::write(const std::string& name, std::string_view text) const {
    std::ofstream(path() / name, std::ios::binary) << text;
}

bool Share::exists(const std::string& name) const {
    return std::filesystem::exists(std::filesystem::symlink_status(path() / name));
}

std::string Share::contents(const std::filesystem::path& path) {
    std::ostringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
}

bool Share::leaves_daemons_out() {
    static const bool left_out = [] {
        if (!is_slow() || is_nightly()) return false;
        skip("commands through both daemons: in this build at night only");
        return true;
    }();
    return left_out;
}

struct stat status(const Share& share, const std::string& name) {
    struct stat info{};
    REQUIRE(::lstat((share.path() / name).c_str(), &info) == 0);
    return info;
}

} // namespace vfsproto::test
