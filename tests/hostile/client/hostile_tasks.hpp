// SPDX-License-Identifier: BSD-2-Clause
// Every operation the client has, with arguments of no sense and buffers of exactly the size they claim, so that a
// sanitizer sees the first byte too many.
#pragma once

#include "support/catch.hpp"
#include "support/ring_pair.hpp"
#include "vfsproto/fuse/client/operations/attributes.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/fuse/client/operations/names.hpp"
#include "vfsproto/fuse/client/operations/xattrs.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <array>
#include <memory>
#include <string>
#include <vector>

namespace vfsproto::test {

class HostileTasks {
public:
    // `registered`: memory the device reaches, for transfers without a copy.
    HostileTasks(Random& random, const Region& registered) : random_(random), registered_(registered) {}

    // Starts one operation. It may end at once.
    void start(client::Client& client) {
        constexpr std::size_t kRows = wire::OpTable::size;
        const std::uint32_t which = random_.below(kRows + 8);
        if (which < kRows) return (this->*kSingles[which])(client);
        switch (which - kRows) {
        case 0:
            return compose<client::OpenFile>(
                [&](auto& op) { op.start(client, kCaller, node(), random_.below(1 << 12)); });
        case 1: return compose<client::OpenDirectory>([&](auto& op) { op.start(client, kCaller, node(), 0); });
        case 2:
            return compose<client::CreateFile>(
                [&](auto& op) { op.start(client, kCaller, node(), {{"name", 4}, random_.below(1 << 12), 0644, 022}); });
        case 3: return compose<client::ExtendedStatus>([&](auto& op) { op.start(client, kCaller, node(), {}); });
        case 4:
            return compose<client::SeekFile>(
                [&](auto& op) { op.start(client, kCaller, node(), {1, random_.next(), 3 + random_.below(2), 0}); });
        case 5:
            return compose<client::CopyRange>([&](auto& op) {
                wire::CopyFileRangeIn in{};
                in.len = random_.next();
                op.start(client, kCaller, node(), in);
            });
        case 6: return read_directory(client);
        default:
            return random_.one_in(2) ? transfer<wire::Opcode::read>(client) : transfer<wire::Opcode::write>(client);
        }
    }
    std::size_t started() const { return started_; }
    std::size_t ended() const { return ended_; }
    std::size_t succeeded() const { return succeeded_; }
    std::size_t refused() const { return refused_; } // by the engine, for what the peer did

private:
    static constexpr client::Caller kCaller{.uid = 1, .gid = 2, .pid = 3};

    template <class Op> struct Task {
        explicit Task(HostileTasks& tasks) : owner(tasks) {
            ++owner.started_;
            op.user = this;
            op.on_finish = [](client::Operation& operation) noexcept { static_cast<Task*>(operation.user)->end(); };
        }
        void end() {
            ++owner.ended_;
            if (op.succeeded()) ++owner.succeeded_;
            if (op.errc() != Errc::ok) ++owner.refused_;
            if (op.surplus_lookup() == wire::kRootNodeId) std::abort();
            if (op.errc() == Errc::ok &&
                (static_cast<std::int32_t>(op.error()) < 0 || static_cast<std::int32_t>(op.error()) >= 512)) {
                std::abort();
            }
            if (check) check(*this);
            delete this;
        }
        HostileTasks& owner;
        Op op;
        std::unique_ptr<std::byte[]> in;
        std::unique_ptr<std::byte[]> out;
        std::size_t out_size = 0;
        void (*check)(Task&) = nullptr;
    };

    [[nodiscard]] std::uint64_t node() { return random_.below(5); }
    static std::unique_ptr<std::byte[]> block(std::size_t size) { return std::make_unique<std::byte[]>(size); }

    template <wire::Opcode Op> void single(client::Client& client) {
        auto* task = new Task<client::Single<Op>>(*this);
        auto& call = task->op.call;
        constexpr const wire::OpInfo& info = wire::op_info(Op);
        call.name = {"a name", random_.below(7)};
        call.name2 = {"another", random_.below(8)};
        if (info.tail_field.unit != 0) {
            const std::uint32_t count = random_.below(200);
            const std::uint32_t size = count * info.tail_field.unit;
            std::memcpy(reinterpret_cast<std::byte*>(&call.args) + info.tail_field.offset, &count, sizeof(count));
            task->in = block(size);
            call.data_in = {task->in.get(), size, {}};
        }
        if (info.out_tail != wire::OutTail::none) {
            task->out_size = random_.below(3000);
            task->out = block(task->out_size);
            call.data_out = {task->out.get(), static_cast<std::uint32_t>(task->out_size), {}};
            task->check = [](auto& done) {
                if (done.op.succeeded() && done.op.call.bytes > done.out_size) std::abort();
            };
        }
        task->op.start(client, kCaller, node());
    }
    template <class Op, class Start> void compose(Start&& start) {
        auto* task = new Task<Op>(*this);
        start(task->op);
    }
    void read_directory(client::Client& client) {
        auto* task = new Task<client::ReadDirectory>(*this);
        task->out_size = 1 + random_.below(6000);
        task->out = block(task->out_size);
        task->check = [](auto& done) {
            if (!done.op.succeeded()) return;
            if (done.op.bytes() > done.out_size) std::abort();
            const std::span<const std::byte> records{done.out.get(), done.op.bytes()};
            std::uint64_t sum = 0;
            wire::DirentReader names(records);
            while (names.next()) sum += names.entry().name.size();
            wire::DirentplusReader plus(records);
            while (plus.next()) sum += plus.entry().entry.nodeid;
            done.owner.sink_ = sum;
        };
        const auto wanted =
            random_.one_in(2) ? client::DirectoryFormat::dirents : client::DirectoryFormat::direntpluses;
        task->op.start(client, kCaller, {node(), 1, random_.next()}, {task->out.get(), task->out_size}, wanted);
    }
    template <wire::Opcode Op> void transfer(client::Client& client) {
        auto* task = new Task<client::LongTransfer<Op>>(*this);
        task->out_size = random_.below(60000);
        task->out = block(task->out_size);
        client::TransferSpan span;
        span.nodeid = node();
        span.host = task->out.get();
        span.len = task->out_size;
        if (random_.one_in(2)) {
            span.host = registered_.host();
            if (span.len > registered_.size()) span.len = registered_.size();
            span.lies_in(registered_);
        }
        span.offset = random_.next();
        span.open_flags = random_.below(1 << 12);
        task->check = [](auto& done) {
            if (done.op.done() > done.out_size) std::abort();
        };
        task->op.start(client, kCaller, span);
    }

    using Starter = void (HostileTasks::*)(client::Client&);
    template <class... Rows> static constexpr std::array<Starter, sizeof...(Rows)> starters(wire::RowList<Rows...>) {
        return {&HostileTasks::template single<Rows::opcode>...};
    }
    static const std::array<Starter, wire::OpTable::size> kSingles;

    Random& random_;
    const Region registered_;
    std::size_t started_ = 0;
    std::size_t ended_ = 0;
    std::size_t succeeded_ = 0;
    std::size_t refused_ = 0;
    volatile std::uint64_t sink_ = 0;
};

inline constexpr std::array<HostileTasks::Starter, wire::OpTable::size> HostileTasks::kSingles =
    HostileTasks::starters(wire::OpTable{});

} // namespace vfsproto::test
