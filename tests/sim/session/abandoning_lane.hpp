// SPDX-License-Identifier: BSD-2-Clause
// A lane that lets go of one of its requests, and a host that gives back what the late reply granted.
#pragma once

#include "vfsproto/fuse/client/lane.hpp"
#include "vfsproto/fuse/client/undo_grants.hpp"

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <vector>

namespace vfsproto::test {

// Stands before a lane: passes every request on, and abandons the one of a number some turns later, if it has not ended.
class AbandoningLane final : public client::ErasedLane {
public:
    static constexpr std::uint64_t kNever = 0;

    // The part of the host: `Host` has forget_surplus(nodeid), keep_nodes() and let_go_of_nodes(). A request that is
    // abandoned names nodes that must not be forgotten before the server has seen it.
    template <class Host> AbandoningLane(client::Lane& lane, Host& host) noexcept
        : ErasedLane(kTable),
          lane_(lane),
          host_(&host),
          forget_([](void* it, std::uint64_t nodeid) { static_cast<Host*>(it)->forget_surplus(nodeid); }),
          keep_([](void* it) { static_cast<Host*>(it)->keep_nodes(); }),
          let_go_([](void* it) { static_cast<Host*>(it)->let_go_of_nodes(); }) {}

    // The lane below has been opened.
    void start(std::uint32_t bounce, std::uint16_t max_segments) noexcept {
        bounce_ = bounce;
        max_segments_ = max_segments;
    }
    // The request of this number, from 1, so many turns after it was started. kNever: none.
    void abandon(std::uint64_t number, unsigned after) noexcept {
        number_ = number;
        turns_ = after;
    }
    [[nodiscard]] std::uint64_t passed() const noexcept { return passed_; }
    [[nodiscard]] std::uint64_t abandoned() const noexcept { return abandoned_; }
    [[nodiscard]] std::uint64_t came_late() const noexcept { return came_late_; }

    // Called once a turn.
    void turn() {
        if (target_ == nullptr && target_transfer_ == nullptr) return;
        if (turns_ != 0) {
            --turns_;
            return;
        }
        auto late = std::make_unique<Late>();
        late->memory = client::HeldMemory::until_late;
        late->owner = this;
        late->on_late = [](client::LateReply& reply) noexcept {
            static_cast<AbandoningLane*>(reply.owner)->came(reply);
        };
        const bool in_flight =
            (target_ != nullptr ? lane_.unique_of(*target_) : lane_.unique_of(*target_transfer_)) != 0;
        if (in_flight) keep_(host_);
        const Errc errc = target_ != nullptr ? lane_.abandon(*target_, *late, Errc::abandoned)
                                             : lane_.abandon(*target_transfer_, *late, Errc::abandoned);
        if (errc != Errc::ok) throw std::logic_error("not to be abandoned");
        ++abandoned_;
        if (in_flight) lates_.push_back(std::move(late));
    }

private:
    client::Lane& lane_;
    struct Late : client::LateReply {};
    struct Close {
        AbandoningLane* lane = nullptr;
        std::uint64_t forget_after = 0; // a node whose lookup is given back when the handle is closed
        client::Call<wire::Opcode::release> file;
        client::Call<wire::Opcode::releasedir> directory;
    };

    void pass(client::Request& request) noexcept {
        // A caller that abandons a RELEASE which waits for a slot keeps a handle for ever.
        const bool closes =
            request.op->opcode == wire::Opcode::release || request.op->opcode == wire::Opcode::releasedir;
        if (++passed_ == number_ && !closes) {
            target_ = &request;
            on_done_ = request.on_done;
            current_ = this;
            request.on_done = [](client::Request& done) noexcept {
                done.on_done = current_->on_done_;
                current_->target_ = nullptr;
                done.on_done(done);
            };
        }
        lane_.enqueue(request);
    }
    template <wire::Opcode Op>
    void pass(client::Transfer& transfer, const client::TransferSpan& span, const client::Caller& caller) noexcept {
        if (++passed_ == number_) {
            target_transfer_ = &transfer;
            on_transfer_done_ = transfer.on_done;
            current_ = this;
            transfer.on_done = [](client::Transfer& done) noexcept {
                done.on_done = current_->on_transfer_done_;
                current_->target_transfer_ = nullptr;
                done.on_done(done);
            };
        }
        lane_.start<Op>(transfer, span, caller);
    }
    void came(client::LateReply& reply) noexcept {
        ++came_late_;
        struct Undo {
            AbandoningLane& self;
            Close* close = nullptr;
            void forget(std::uint64_t nodeid) {
                if (close == nullptr) return self.forget_(self.host_, nodeid);
                close->forget_after = nodeid;
            }
            void release(wire::Opcode op, std::uint64_t nodeid, std::uint64_t fh) {
                close = &self.close(op, nodeid, fh);
            }
        };
        client::undo_grants(reply.granted, Undo{*this});
        let_go_(host_);
    }
    Close& close(wire::Opcode op, std::uint64_t nodeid, std::uint64_t fh) {
        auto& close = *closes_.emplace_back(std::make_unique<Close>());
        close.file.args.fh = close.directory.args.fh = fh;
        const bool is_file = op == wire::Opcode::release;
        client::Request& request = is_file ? static_cast<client::Request&>(close.file) : close.directory;
        request.nodeid = nodeid;
        close.lane = this;
        request.owner = &close;
        request.on_done = [](client::Request& done) noexcept {
            const auto& closed = *static_cast<Close*>(done.owner);
            closed.lane->forget_(closed.lane->host_, closed.forget_after);
        };
        lane_.enqueue(request);
        return close;
    }

    static const Table kTable;

    void* host_;
    void (*forget_)(void*, std::uint64_t);
    void (*keep_)(void*);
    void (*let_go_)(void*);
    std::uint64_t number_ = kNever;
    unsigned turns_ = 0;
    std::uint64_t passed_ = 0;
    std::uint64_t abandoned_ = 0;
    std::uint64_t came_late_ = 0;
    client::Request* target_ = nullptr; // one of these two is to be abandoned, and would have called this
    client::Transfer* target_transfer_ = nullptr;
    void (*on_done_)(client::Request&) noexcept = nullptr;
    void (*on_transfer_done_)(client::Transfer&) noexcept = nullptr;
    static inline AbandoningLane* current_ = nullptr;
    std::vector<std::unique_ptr<Late>> lates_;
    std::vector<std::unique_ptr<Close>> closes_;
};

inline constexpr client::ErasedLane::Table AbandoningLane::kTable{
    .enqueue = [](client::ErasedLane& lane,
                  client::Request& request) noexcept { static_cast<AbandoningLane&>(lane).pass(request); },
    .start_read =
        [](client::ErasedLane& lane, client::Transfer& transfer, const client::TransferSpan& span,
           const client::Caller& caller) noexcept {
            static_cast<AbandoningLane&>(lane).pass<wire::Opcode::read>(transfer, span, caller);
        },
    .start_write =
        [](client::ErasedLane& lane, client::Transfer& transfer, const client::TransferSpan& span,
           const client::Caller& caller) noexcept {
            static_cast<AbandoningLane&>(lane).pass<wire::Opcode::write>(transfer, span, caller);
        },
    .abandon = [](client::ErasedLane& lane, client::Request& request, client::LateReply& late,
                  Errc why) noexcept { return static_cast<AbandoningLane&>(lane).lane_.abandon(request, late, why); },
    .abandon_transfer =
        [](client::ErasedLane& lane, client::Transfer& transfer, client::LateReply& late, Errc why) noexcept {
            return static_cast<AbandoningLane&>(lane).lane_.abandon(transfer, late, why);
        },
    .unique_of =
        [](const client::ErasedLane& lane, const client::Request& request) noexcept {
            return static_cast<const AbandoningLane&>(lane).lane_.unique_of(request);
        },
    .unique_of_transfer =
        [](const client::ErasedLane& lane, const client::Transfer& transfer) noexcept {
            return static_cast<const AbandoningLane&>(lane).lane_.unique_of(transfer);
        },
    .expire = [](client::ErasedLane& lane,
                 std::uint64_t now) noexcept { return static_cast<AbandoningLane&>(lane).lane_.expire(now); },
};

} // namespace vfsproto::test
