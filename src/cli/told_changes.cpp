// SPDX-License-Identifier: BSD-2-Clause
#include "told_changes.hpp"

#include "interrupt.hpp"

namespace vfsproto::cli {

ToldChanges::ToldChanges() { interrupt_stop().add(*this); }
ToldChanges::~ToldChanges() { interrupt_stop().remove(*this); }

void ToldChanges::add(const posix::ServerChange& change) {
    const std::lock_guard lock(mutex_);
    if (line_.size() >= kMost) line_.assign(1, Change{posix::ServerChange::What::everything});
    line_.push_back({change.what, change.nodeid, std::string(change.name)});
    came_.notify_one();
}

std::vector<ToldChanges::Change> ToldChanges::take(std::chrono::milliseconds patience) {
    std::vector<Change> all;
    std::unique_lock lock(mutex_);
    came_.wait_for(lock, patience, [this] { return stopped_ || !line_.empty(); });
    all.swap(line_);
    return all;
}

void ToldChanges::look_again() noexcept {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    came_.notify_one();
}

} // namespace vfsproto::cli
