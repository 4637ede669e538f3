// SPDX-License-Identifier: BSD-2-Clause
// One thread of a bench: keeps `iodepth` operations on their way until its time, or its count, is over.
#pragma once

#include "bench.hpp"
#include "latency_histogram.hpp"
#include "offset_sequence.hpp"

#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/posix/read_pool.hpp"

#include <string>
#include <vector>

namespace vfsproto::cli {

// All jobs of a bench work on one target.
struct BenchTarget {
    std::string path;      // the file, or the directory for create and readdir
    std::string directory; // where `name` is, for stat
    std::string name;
    posix::MappedFile* mapped = nullptr; // the file, if its reads go through the window
};

class BenchJob {
public:
    BenchJob(posix::Mount& mount, const BenchOptions& options, const BenchTarget& target, unsigned number);

    // On its own thread. Afterwards the results below.
    void run();

    [[nodiscard]] const posix::Failure& failure() const noexcept { return failure_; }
    [[nodiscard]] std::uint64_t operations() const noexcept { return operations_; }
    [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_; }
    [[nodiscard]] const LatencyHistogram& latencies() const noexcept { return latencies_; }

private:
    void prepare();
    void run_blocking();
    // Does the operation again and again. It counts what it did; false = it failed, and said so by fail().
    template <class Operation> void repeat(Operation&& operation);
    template <wire::Opcode Op> void transfer_blocking();
    [[nodiscard]] bool read_mapped();
    [[nodiscard]] bool create_blocking();
    [[nodiscard]] bool list_blocking();
    [[nodiscard]] bool null_blocking();
    void run_queued();
    template <class Slot> void run_slots();
    template <wire::Opcode Op> void run_transfers();
    void run_pooled_reads();
    // Starts an operation in every slot, and another one in a slot whose operation has finished.
    template <class Slot> void keep_busy(posix::IoQueue& queue, std::vector<Slot>& slots);
    // The failure that ends the bench. Returns false.
    bool fail(const posix::Failure& failure) noexcept;
    // One look at the clock; when the time is over, nothing more is started.
    void look_at_clock() noexcept;

    template <wire::Opcode Op> struct DataSlot {
        posix::QueuedTransfer<Op> transfer;
        std::span<std::byte> buffer{};
        std::uint64_t since = 0;
    };
    struct PooledSlot {
        posix::PooledRead read;
        posix::ReadPool* pool = nullptr;
        std::uint64_t since = 0;
    };
    struct LookupSlot {
        client::Lookup lookup;
        std::uint64_t since = 0;
    };
    struct CreateSlot {
        client::CreateFile create;
        client::Release release;
        std::string name;
        posix::NodeRef node;
        bool releasing = false;
        std::uint64_t since = 0;
    };
    struct NullOperation final : client::Operation {
        client::Request request;
        NullOperation() noexcept;
        [[gnu::always_inline]] void start(client::Client& client, const client::Caller& caller,
                                          std::uint64_t nodeid) noexcept;
    };
    struct NullSlot {
        NullSlot() noexcept { null.tag = this; }
        NullOperation null;
        std::uint64_t since = 0;
    };

    template <wire::Opcode Op> [[gnu::always_inline]] void start(posix::IoQueue& queue, DataSlot<Op>& slot);
    void start(posix::IoQueue& queue, PooledSlot& slot);
    void start(posix::IoQueue& queue, LookupSlot& slot);
    void start(posix::IoQueue& queue, CreateSlot& slot);
    [[gnu::always_inline]] void start(posix::IoQueue& queue, NullSlot& slot);
    template <wire::Opcode Op>
    [[nodiscard]] bool finished(posix::IoQueue& queue, DataSlot<Op>& slot, const client::Operation& operation);
    [[nodiscard]] bool finished(posix::IoQueue& queue, PooledSlot& slot, const client::Operation& operation);
    [[nodiscard]] bool finished(posix::IoQueue& queue, LookupSlot& slot, const client::Operation& operation);
    [[nodiscard]] bool finished(posix::IoQueue& queue, CreateSlot& slot, const client::Operation& operation);
    [[gnu::always_inline, nodiscard]] bool finished(posix::IoQueue& queue, NullSlot& slot,
                                                    const client::Operation& operation);

    // Gives back what a slot borrowed, also when its operation failed.
    template <class Slot> static void give_back(Slot&) noexcept {}
    static void give_back(PooledSlot& slot) { slot.pool->give_back(slot.read); }

    [[nodiscard]] bool is_read() const noexcept {
        return options_.op == BenchOp::read || options_.op == BenchOp::randread;
    }
    [[nodiscard]] bool is_write() const noexcept {
        return options_.op == BenchOp::write || options_.op == BenchOp::randwrite;
    }
    [[nodiscard]] std::size_t buffers() const noexcept; // blocks of memory there are
    [[nodiscard]] std::string next_name();

    posix::Mount& mount_;
    const BenchOptions& options_;
    const BenchTarget& target_;
    unsigned number_;
    OffsetSequence offsets_;
    std::uint64_t names_ = 0;
    std::uint64_t now_ = 0;   // ns
    std::uint64_t until_ = 0; // ns
    std::uint64_t left_ = 0;  // operations to be started
    std::uint64_t directory_node_ = 0;
    posix::NodeRef directory_;
    posix::File file_;
    posix::Buffer buffer_;
    posix::Failure failure_;
    std::uint64_t operations_ = 0;
    std::uint64_t bytes_ = 0;
    LatencyHistogram latencies_;
};

} // namespace vfsproto::cli
