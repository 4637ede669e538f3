// SPDX-License-Identifier: BSD-2-Clause
#include "stale_halves.hpp"

#include "each_entry.hpp"
#include "half_name.hpp"
#include "local_names.hpp"
#include "paths.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <iterator>

namespace vfsproto::cli {
namespace {

// Returns the names of all halves in a local directory.
std::vector<std::string> halves_in(int directory) {
    std::vector<std::string> names;
    static_cast<void>(list_names(directory, names)); // what is not listed stays
    std::erase_if(names, [](const std::string& name) { return !is_half_name(name); });
    return names;
}

std::vector<std::string> halves_in(posix::Mount& mount, const std::string& directory) {
    std::vector<std::string> names;
    const auto take = [&](const std::vector<posix::DirectoryEntry>& some) {
        for (const posix::DirectoryEntry& entry : some) {
            if (is_half_name(entry.name) && is_single_component(entry.name)) names.push_back(entry.name);
        }
    };
    static_cast<void>(each_entry(mount, directory, client::DirectoryFormat::dirents, take)); // what is not listed stays
    return names;
}

} // namespace

StaleHalves::Names StaleHalves::take(const std::string& directory, const std::string& target,
                                     const std::function<Names()>& list) {
    const std::string prefix = half_name_prefix(target);
    const std::lock_guard lock(mutex_);
    const auto [known, is_new] = halves_.try_emplace(directory);
    if (is_new) known->second = list();
    Names& names = known->second;
    const auto its =
        std::stable_partition(names.begin(), names.end(), [&](const auto& name) { return !name.starts_with(prefix); });
    Names taken(std::make_move_iterator(its), std::make_move_iterator(names.end()));
    names.erase(its, names.end());
    return taken;
}

void StaleHalves::remove_beside(int directory, const std::string& name) {
    struct stat info{};
    if (::fstat(directory, &info) != 0) return;
    const std::string key = fmt::format("{} {}", info.st_dev, info.st_ino);
    for (const std::string& half : take(key, name, [&] { return halves_in(directory); })) {
        ::unlinkat(directory, half.c_str(), 0);
    }
}

void StaleHalves::remove_beside(posix::Mount& mount, const std::string& remote_target) {
    const std::string directory = directory_name(remote_target);
    const std::string name(base_name(remote_target));
    for (const std::string& half : take(directory, name, [&] { return halves_in(mount, directory); })) {
        static_cast<void>(mount.unlink(join(directory, half))); // it stays, then
    }
}

} // namespace vfsproto::cli
