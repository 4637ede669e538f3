// SPDX-License-Identifier: BSD-2-Clause
// An AbandonedCall takes the place of a call whose caller has gone on: it owns the slots of its requests, keeps what those name and
// the memory they move, and knows what is to be done when the device has given the last slot back.
#pragma once

#include "vfsproto/fuse/client/late_reply.hpp"
#include "vfsproto/fuse/client/operations/data.hpp"
#include "vfsproto/posix/detail/node_ref.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace vfsproto::posix {

class Channel;
class NodeCache;
class OpenHandle;
struct SideLane;

// Keeps what requests name from being given back to the server.
struct Held {
    std::shared_ptr<NodeCache> cache{}; // of the nodes; ends last
    std::vector<NodeRef> nodes{};
    std::vector<std::shared_ptr<OpenHandle>> handles{};
};

// Says what became of the requests of an abandoned call.
enum class LateOutcome : std::uint8_t { done, not_done };

// Is called when an abandoned call is over, after what its late reply granted was given back. On the channel's own thread,
// without a lock.
using AfterLate = std::function<void(Channel&, LateOutcome)>;

class AbandonedCall {
public:
    // A long transfer leaves one for each of its pieces, everything else one.
    static constexpr std::size_t kReplies = client::WriteFile::kPieces;

    // `side` is the lane its requests are on; nullptr: the first.
    explicit AbandonedCall(Channel& channel, SideLane* side = nullptr) noexcept;
    AbandonedCall(const AbandonedCall&) = delete;
    AbandonedCall& operator=(const AbandonedCall&) = delete;

    [[nodiscard]] SideLane* side() const noexcept { return side_; }

    // These are called with the lock of that lane held.
    [[nodiscard]] std::span<client::LateReply, kReplies> replies() noexcept { return replies_; }
    // Called when the lane has let go: counts the requests in flight.
    void count_in_flight() noexcept;
    // Keeps the registered region that the requests in flight read from or write to, until the call is over.
    void keep(const Region& payload) noexcept;
    [[nodiscard]] std::size_t in_flight() const noexcept { return in_flight_; }
    // Takes a late reply: notes what it granted. True with the last one.
    [[nodiscard]] bool take(client::LateReply& reply) noexcept;
    // Returns the next request that nobody has asked to have interrupted; 0: there is none.
    [[nodiscard]] std::uint64_t next_to_interrupt() const noexcept;
    void note_interrupted(std::uint64_t unique) noexcept;
    // True once the caller has left what is to be held, no request is in flight, and the session knows that.
    [[nodiscard]] bool is_over() const noexcept { return left_ && in_flight_ == 0 && !is_untold; }
    void leave(Held&& held, AfterLate&& after) noexcept;
    // Is called once, when the call is over. Gives the registered region back to its owner. Where requests were in flight, drops
    // what is kept of answers: the server may have done them after others asked what they changed. Does not wait.
    void note_over() noexcept;

    // Gives back what was granted, and does what is left. Not under a lock.
    void finish();

    AbandonedCall* next_uninterrupted = nullptr; // the channel's
    // Late replies of a side lane, of which the session is told later, with the first lane's lock held.
    AbandonedCall* next_late = nullptr;         // in SideLane::late
    bool is_untold = false;                     // it stands there
    std::array<std::uint64_t, kReplies> over{}; // the uniques of those requests; 0: none
    std::unique_ptr<AbandonedCall> next_over{}; // of the thread that finishes them

private:
    Channel& channel_;
    SideLane* side_;
    std::array<client::LateReply, kReplies> replies_;
    std::array<bool, kReplies> interrupted_{};
    std::size_t in_flight_ = 0;
    bool was_in_flight_ = false; // one of its requests at least
    bool left_ = false;
    LateOutcome outcome_ = LateOutcome::not_done;
    client::Granted granted_{};           // but for its records
    std::vector<std::uint64_t> listed_{}; // nodes that those name
    const Region* payload_ = nullptr;     // registered, and kept: after note_over() only where its owner has gone
    Held held_{};
    AfterLate after_{};
};

} // namespace vfsproto::posix
