// SPDX-License-Identifier: BSD-2-Clause
#include "bench_job.hpp"

#include <fmt/format.h>

#include <time.h>

namespace vfsproto::cli {

using namespace wire::linux_abi;
using posix::failure_of;

namespace {

// An operation no server knows: what is left is the way there and back.
constexpr wire::OpInfo kNullOp{.opcode = wire::Opcode{4095}, .name = "NULL"};

std::uint64_t now_ns() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

} // namespace

void BenchJob::NullOperation::start(client::Client& client, const client::Caller& caller,
                                    std::uint64_t nodeid) noexcept {
    begin(client, caller);
    request.op = &kNullOp;
    send(request, nodeid, [](client::Request& done) noexcept {
        auto& self = *static_cast<NullOperation*>(done.owner);
        const bool as_expected = done.errc == Errc::ok && done.error == wire::Errno::enosys;
        self.finish(done.errc, as_expected ? wire::Errno::none : done.error);
    });
}

BenchJob::BenchJob(posix::Mount& mount, const BenchOptions& options, const BenchTarget& target, unsigned number)
    : mount_(mount), options_(options), target_(target), number_(number), random_(88172645463325252u + number * 977) {}

std::uint64_t BenchJob::next_offset() noexcept {
    if (options_.op == BenchOp::randread || options_.op == BenchOp::randwrite) {
        random_ ^= random_ << 13;
        random_ ^= random_ >> 7;
        random_ ^= random_ << 17;
        // The high half of a product spreads evenly, without a division.
        const auto block = static_cast<std::uint64_t>((static_cast<unsigned __int128>(random_) * blocks_) >> 64);
        return block * options_.block_size;
    }
    const std::uint64_t block = position_;
    position_ = position_ + 1 == blocks_ ? 0 : position_ + 1;
    return block * options_.block_size;
}

std::string BenchJob::next_name() { return fmt::format("j{}-{}", number_, names_++); }

void BenchJob::prepare() {
    if (is_read() || is_write()) {
        auto file = mount_.open_file(target_.path, is_read() ? kORdonly : kORdwr);
        if (!file) return void(failure_ = file.failure());
        file_ = *std::move(file);
        auto buffer = mount_.allocate(options_.block_size * options_.iodepth);
        if (!buffer) return void(failure_ = buffer.failure());
        buffer_ = *std::move(buffer);
        blocks_ = options_.size / options_.block_size;
        position_ = blocks_ / options_.jobs * number_;
    }
    if (options_.op == BenchOp::stat || options_.op == BenchOp::create) {
        posix::PathWalk walk(mount_.channel(), mount_.nodes());
        const std::string& path = options_.op == BenchOp::stat ? target_.directory : target_.path;
        failure_ = walk.to_file(path, posix::LastLink::follow);
        if (failure_.happened()) return;
        directory_ = std::move(walk.node());
        directory_node_ = directory_.nodeid();
    }
}

void BenchJob::run() {
    prepare();
    if (failure_.happened()) return;
    until_ = options_.count != 0 ? ~std::uint64_t{0} : now_ns() + static_cast<std::uint64_t>(options_.seconds * 1e9);
    if (options_.iodepth == 1) return run_blocking();
    run_queued();
}

void BenchJob::run_blocking() {
    std::uint64_t begin = now_ns();
    while (begin < until_ && (options_.count == 0 || operations_ < options_.count)) {
        failure_ = blocking_operation();
        if (failure_.happened()) return;
        const std::uint64_t end = now_ns();
        latencies_.add(end - begin);
        begin = end;
    }
}

posix::Failure BenchJob::blocking_operation() {
    switch (options_.op) {
    case BenchOp::read:
    case BenchOp::randread: {
        const auto count = mount_.read(file_, buffer_.bytes().first(options_.block_size), next_offset());
        if (!count) return count.failure();
        bytes_ += *count;
        break;
    }
    case BenchOp::write:
    case BenchOp::randwrite: {
        const auto count = mount_.write(file_, buffer_.bytes().first(options_.block_size), next_offset());
        if (!count) return count.failure();
        bytes_ += *count;
        break;
    }
    case BenchOp::stat: {
        const auto attributes = mount_.stat(target_.path);
        if (!attributes) return attributes.failure();
        break;
    }
    case BenchOp::create: {
        auto file = mount_.open_file(target_.path + '/' + next_name(), kOCreat | kOExcl | kOWronly, 0644);
        if (!file) return file.failure();
        if (auto failure = mount_.close(*std::move(file)); failure.happened()) return failure;
        break;
    }
    case BenchOp::readdir: {
        const auto entries = mount_.list(target_.path);
        if (!entries) return entries.failure();
        operations_ += entries->size();
        return {};
    }
    case BenchOp::null: {
        NullOperation null;
        mount_.channel().run(null, wire::kRootNodeId);
        if (!null.succeeded()) return failure_of(null);
        break;
    }
    }
    ++operations_;
    return {};
}

void BenchJob::run_queued() {
    switch (options_.op) {
    case BenchOp::stat: {
        std::vector<LookupSlot> slots(options_.iodepth);
        return keep_busy(slots);
    }
    case BenchOp::create: {
        std::vector<CreateSlot> slots(options_.iodepth);
        return keep_busy(slots);
    }
    case BenchOp::null: {
        std::vector<NullSlot> slots(options_.iodepth);
        return keep_busy(slots);
    }
    default: break;
    }
    std::vector<DataSlot> slots(options_.iodepth);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        slots[i].buffer = buffer_.bytes().subspan(i * options_.block_size, options_.block_size);
    }
    keep_busy(slots);
}

template <class Slot> void BenchJob::keep_busy(std::vector<Slot>& slots) {
    posix::IoQueue queue(mount_.channel());
    std::uint64_t started = 0;
    std::uint64_t now = now_ns();
    const auto goes_on = [&] {
        return !failure_.happened() && now < until_ && (options_.count == 0 || started < options_.count);
    };
    for (Slot& slot : slots) {
        if (!goes_on()) break;
        slot.since = now;
        ++started;
        start(queue, slot);
    }
    for (;;) {
        const bool waits = !queue.has_finished();
        client::Operation* operation = queue.next();
        if (operation == nullptr) return;
        if (waits) now = now_ns(); // one look at the clock for all that finished together
        Slot& slot = *static_cast<Slot*>(operation->tag);
        if (!operation->succeeded()) {
            failure_ = failure_of(*operation);
            if (operation->orphan() != 0) mount_.channel().give_back(operation->orphan());
            continue;
        }
        if (!finished(queue, slot, *operation)) continue;
        latencies_.add(now - slot.since);
        ++operations_;
        if (!goes_on()) continue;
        slot.since = now;
        ++started;
        start(queue, slot);
    }
}

void BenchJob::start(posix::IoQueue& queue, DataSlot& slot) {
    Errc errc;
    if (is_read()) {
        slot.read.tag = &slot;
        errc = queue.read(slot.read, file_, slot.buffer, next_offset());
    } else {
        slot.write.tag = &slot;
        errc = queue.write(slot.write, file_, slot.buffer, next_offset());
    }
    if (errc != Errc::ok) failure_ = errc;
}

bool BenchJob::finished(posix::IoQueue&, DataSlot& slot, const client::Operation&) {
    const std::uint32_t count = is_read() ? slot.read.bytes() : slot.write.bytes();
    if (count != options_.block_size) failure_ = Errc::protocol_violation; // the file is as long as was asked for
    bytes_ += count;
    return true;
}

void BenchJob::start(posix::IoQueue& queue, LookupSlot& slot) {
    slot.lookup.tag = &slot;
    slot.lookup.call.name = target_.name;
    queue.start(slot.lookup, directory_node_);
}

bool BenchJob::finished(posix::IoQueue&, LookupSlot& slot, const client::Operation&) {
    mount_.nodes().count(slot.lookup.call.reply);
    return true;
}

void BenchJob::start(posix::IoQueue& queue, CreateSlot& slot) {
    slot.create.tag = slot.release.tag = &slot;
    slot.name = next_name();
    slot.releasing = false;
    queue.start(slot.create, directory_node_, std::span<const char>(slot.name), kOExcl | kOCreat | kOWronly, 0644u,
                022u);
}

bool BenchJob::finished(posix::IoQueue& queue, CreateSlot& slot, const client::Operation&) {
    if (slot.releasing) {
        slot.node.reset();
        return true;
    }
    slot.node = mount_.nodes().count(slot.create.entry());
    slot.releasing = true;
    slot.release.call.args.fh = slot.create.result().fh;
    slot.release.call.args.flags = kOWronly;
    queue.start(slot.release, slot.node.nodeid());
    return false;
}

void BenchJob::start(posix::IoQueue& queue, NullSlot& slot) {
    slot.null.tag = &slot;
    queue.start(slot.null, wire::kRootNodeId);
}

bool BenchJob::finished(posix::IoQueue&, NullSlot&, const client::Operation&) { return true; }

} // namespace vfsproto::cli
