// SPDX-License-Identifier: BSD-2-Clause
#include "bench_job.hpp"

#include "interrupt.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/detail/node_cache.hpp"
#include "vfsproto/posix/detail/path_walk.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <time.h>

namespace vfsproto::cli {

using namespace abi;
using posix::failure_of;

namespace {

constexpr std::size_t kMostReadMemory = 8u << 20; // bytes

// No server knows this operation, so what is measured is the way there and back.
constexpr wire::OpInfo kNullOp{.opcode = wire::Opcode{4095}, .name = "NULL", .form = wire::Form::fixed};

std::uint64_t now_ns() noexcept {
    timespec time{};
    ::clock_gettime(CLOCK_MONOTONIC, &time);
    return static_cast<std::uint64_t>(time.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(time.tv_nsec);
}

} // namespace

BenchJob::NullOperation::NullOperation() noexcept { request.op = &kNullOp; }

inline void BenchJob::NullOperation::start(client::Client& client, const client::Caller& caller,
                                           std::uint64_t nodeid) noexcept {
    begin(client, caller);
    send(request, nodeid, [](client::Request& done) noexcept {
        auto& self = *static_cast<NullOperation*>(done.owner);
        const bool as_expected = done.errc == Errc::ok && done.error == abi::Errno::enosys;
        self.finish(done.errc, as_expected ? abi::Errno::none : done.error);
    });
}

BenchJob::BenchJob(posix::Mount& mount, const BenchOptions& options, const BenchTarget& target, unsigned number)
    : mount_(mount), options_(options), target_(target), number_(number) {}

std::string BenchJob::next_name() { return fmt::format("j{}-{}", number_, names_++); }

std::size_t BenchJob::buffers() const noexcept {
    if (options_.buffers != 0) return options_.buffers;
    if (!is_read()) return options_.iodepth;
    // Reads use no more memory than the CPU's cache keeps between two uses of it.
    return std::clamp<std::size_t>(kMostReadMemory / options_.block_size, 1, options_.iodepth);
}

void BenchJob::prepare() {
    if (is_read() || is_write()) {
        if (target_.mapped == nullptr) {
            auto file = mount_.open_file(target_.path, is_read() ? kORdonly : kORdwr);
            if (!file) return void(failure_ = file.failure());
            file_ = *std::move(file);
        }
        auto buffer = mount_.allocate(options_.block_size * buffers());
        if (!buffer) return void(failure_ = buffer.failure());
        buffer_ = *std::move(buffer);
        const std::uint64_t blocks = options_.size / options_.block_size;
        const bool random = options_.op == BenchOp::randread || options_.op == BenchOp::randwrite;
        offsets_ = random ? OffsetSequence(OffsetSequence::Order::random, options_.block_size, blocks, number_)
                          : OffsetSequence(OffsetSequence::Order::sequential, options_.block_size, blocks,
                                           blocks / options_.jobs * number_);
    }
    if (options_.op == BenchOp::stat || options_.op == BenchOp::create) {
        posix::PathWalk walk(mount_.channel(), mount_.nodes(), mount_.server_credentials().caller);
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
    now_ = now_ns();
    until_ = options_.count != 0 ? ~std::uint64_t{0} : now_ + static_cast<std::uint64_t>(options_.seconds * 1e9);
    left_ = options_.count != 0 ? options_.count : ~std::uint64_t{0};
    if (options_.iodepth == 1) return run_blocking();
    run_queued();
}

bool BenchJob::fail(const posix::Failure& failure) noexcept {
    failure_ = failure;
    left_ = 0;
    return false;
}

void BenchJob::look_at_clock() noexcept {
    now_ = now_ns();
    if (now_ >= until_ || interrupted()) left_ = 0;
}

void BenchJob::run_blocking() {
    if (target_.mapped != nullptr) return repeat([this] { return read_mapped(); });
    switch (options_.op) {
    case BenchOp::read:
    case BenchOp::randread: return transfer_blocking<wire::Opcode::read>();
    case BenchOp::write:
    case BenchOp::randwrite: return transfer_blocking<wire::Opcode::write>();
    case BenchOp::stat:
        return repeat([this] {
            const auto attributes = mount_.stat(target_.path);
            ++operations_;
            return attributes ? true : fail(attributes.failure());
        });
    case BenchOp::create: return repeat([this] { return create_blocking(); });
    case BenchOp::readdir: return repeat([this] { return list_blocking(); });
    case BenchOp::null: return repeat([this] { return null_blocking(); });
    }
}

template <class Operation> void BenchJob::repeat(Operation&& operation) {
    while (left_ != 0) {
        --left_;
        const std::uint64_t begin = now_;
        if (!operation()) return;
        look_at_clock();
        latencies_.add(now_ - begin);
    }
}

// The loop that is measured at depth 1: what it needs stays in registers.
template <wire::Opcode Op> void BenchJob::transfer_blocking() {
    const std::span<std::byte> block = buffer_.bytes().first(options_.block_size);
    OffsetSequence offsets = offsets_;
    const std::uint64_t most = left_;
    const std::uint64_t until = until_;
    std::uint64_t done = 0;
    std::uint64_t bytes = 0;
    for (std::uint64_t begin = now_; done != most && begin < until && !interrupted(); ++done) {
        const std::uint64_t offset = offsets.next();
        const auto count =
            Op == wire::Opcode::read ? mount_.read(file_, block, offset) : mount_.write(file_, block, offset);
        if (!count) return void(fail(count.failure()));
        bytes += *count;
        const std::uint64_t end = now_ns();
        latencies_.add_one(end - begin);
        begin = end;
    }
    operations_ += done;
    bytes_ += bytes;
}

bool BenchJob::read_mapped() {
    const auto count = target_.mapped->read(buffer_.bytes().first(options_.block_size), offsets_.next());
    if (!count) return fail(count.failure());
    ++operations_;
    bytes_ += *count;
    return true;
}

bool BenchJob::create_blocking() {
    auto file = mount_.open_file(target_.path + '/' + next_name(), kOCreat | kOExcl | kOWronly, 0644);
    if (!file) return fail(file.failure());
    if (auto failure = mount_.close(*std::move(file))) return fail(failure);
    ++operations_;
    return true;
}

bool BenchJob::list_blocking() {
    const auto entries = mount_.list(target_.path);
    if (!entries) return fail(entries.failure());
    operations_ += entries->size();
    return true;
}

bool BenchJob::null_blocking() {
    NullOperation null;
    mount_.channel().run(null, mount_.server_credentials().caller, wire::kRootNodeId);
    if (!null.succeeded()) return fail(failure_of(null));
    ++operations_;
    return true;
}

void BenchJob::run_queued() {
    switch (options_.op) {
    case BenchOp::stat: return run_slots<LookupSlot>();
    case BenchOp::create: return run_slots<CreateSlot>();
    case BenchOp::null: return run_slots<NullSlot>();
    default: break;
    }
    if (is_write()) return run_transfers<wire::Opcode::write>();
    if (buffers() >= options_.iodepth) return run_transfers<wire::Opcode::read>();
    run_pooled_reads();
}

template <class Slot> void BenchJob::run_slots() {
    std::vector<Slot> slots(options_.iodepth);
    posix::IoQueue queue(mount_.channel(), mount_.credentials().caller);
    keep_busy(queue, slots);
}

template <wire::Opcode Op> void BenchJob::run_transfers() {
    std::vector<DataSlot<Op>> slots(options_.iodepth);
    for (std::size_t i = 0; i < slots.size(); ++i) {
        slots[i].buffer = buffer_.bytes().subspan(i % buffers() * options_.block_size, options_.block_size);
        slots[i].transfer.tag = &slots[i];
    }
    posix::IoQueue queue(mount_.channel(), mount_.credentials().caller);
    keep_busy(queue, slots);
    bytes_ = operations_ * options_.block_size;
}

void BenchJob::run_pooled_reads() {
    posix::IoQueue queue(mount_.channel(), mount_.credentials().caller);
    posix::ReadPool pool(queue, buffer_.bytes(), options_.block_size);
    std::vector<PooledSlot> slots(options_.iodepth);
    for (PooledSlot& slot : slots) {
        slot.pool = &pool;
        slot.read.transfer.tag = &slot;
    }
    keep_busy(queue, slots);
    bytes_ = operations_ * options_.block_size;
}

template <class Slot> void BenchJob::keep_busy(posix::IoQueue& queue, std::vector<Slot>& slots) {
    const auto start_in = [&](Slot& slot) __attribute__((always_inline)) {
        if (left_ == 0) return;
        --left_;
        slot.since = now_;
        start(queue, slot);
    };
    for (Slot& slot : slots) start_in(slot);
    for (;;) {
        const bool waits = !queue.has_finished();
        client::Operation* operation = queue.next();
        if (operation == nullptr) break;
        if (waits) look_at_clock(); // once for all that finished together
        Slot& slot = *static_cast<Slot*>(operation->tag);
        if (!operation->succeeded()) [[unlikely]] {
            fail(failure_of(*operation));
            if (operation->surplus_lookup() != 0) mount_.channel().give_back(operation->surplus_lookup());
            give_back(slot);
            continue;
        }
        const bool counts = finished(queue, slot, *operation);
        give_back(slot);
        if (!counts) continue;
        latencies_.add(now_ - slot.since);
        start_in(slot);
    }
    operations_ = latencies_.samples();
}

template <wire::Opcode Op> inline void BenchJob::start(posix::IoQueue& queue, DataSlot<Op>& slot) {
    Errc errc;
    if constexpr (Op == wire::Opcode::read) {
        errc = queue.read(slot.transfer, file_, slot.buffer, offsets_.next());
    } else {
        errc = queue.write(slot.transfer, file_, slot.buffer, offsets_.next());
    }
    if (errc != Errc::ok) [[unlikely]]
        fail(errc);
}

template <wire::Opcode Op>
inline bool BenchJob::finished(posix::IoQueue&, DataSlot<Op>& slot, const client::Operation&) {
    // The file is as long as was asked for.
    if (slot.transfer.bytes() != slot.buffer.size()) return fail(Errc::protocol_violation);
    return true;
}

void BenchJob::start(posix::IoQueue&, PooledSlot& slot) {
    const Errc errc =
        slot.pool->read(slot.read, file_, static_cast<std::uint32_t>(options_.block_size), offsets_.next());
    if (errc != Errc::ok) fail(errc);
}

bool BenchJob::finished(posix::IoQueue&, PooledSlot& slot, const client::Operation&) {
    // The file is as long as was asked for.
    return slot.read.data().size() == options_.block_size || fail(Errc::protocol_violation);
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
    queue.start(slot.create, directory_node_,
                client::CreateFile::NewFile{slot.name, kOExcl | kOCreat | kOWronly, 0644, 022});
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

inline void BenchJob::start(posix::IoQueue& queue, NullSlot& slot) { queue.start(slot.null, wire::kRootNodeId); }

inline bool BenchJob::finished(posix::IoQueue&, NullSlot&, const client::Operation&) { return true; }

} // namespace vfsproto::cli
