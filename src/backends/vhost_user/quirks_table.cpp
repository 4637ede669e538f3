// SPDX-License-Identifier: BSD-2-Clause
#include "quirks_table.hpp"

#include "message.hpp"

namespace vfsproto::backends::vhost_user {
namespace {

using client::CreateExisting;
using client::DestroyReply;
using client::InterruptUse;
using client::LockWaits;
using client::Quirks;

struct Row {
    std::uint64_t features_of_interest; // bits of the virtio features that are compared
    std::uint64_t features;             // their values
    std::uint64_t protocol_of_interest;
    std::uint64_t protocol;
    Quirks quirks;
};

constexpr std::uint64_t kNotifyOnEmpty = std::uint64_t{1} << 24;
constexpr std::uint64_t kLogAll = std::uint64_t{1} << 26;

// Only what these two have in common with no other is looked at, so that a new release is still recognised.
constexpr Row kRows[] = {
    // Exits when a third ring starts; INTERRUPT corrupts its memory; DESTROY is answered; aborts on a
    // CREATE without O_EXCL of a name that exists; refuses SETLKW.
    {kNotifyOnEmpty | kLogAll,
     kNotifyOnEmpty | kLogAll,
     protocol::kMq | protocol::kBackendReq | protocol::kHostNotifier | protocol::kDeviceState,
     protocol::kMq | protocol::kBackendReq | protocol::kHostNotifier,
     {"C virtiofsd (QEMU)", 1, InterruptUse::never, DestroyReply::always, CreateExisting::never, LockWaits::by_client}},
    // Refuses ring numbers from 2 on; ignores INTERRUPT; marks DESTROY used without a byte; has no locks.
    {kNotifyOnEmpty | kLogAll,
     kLogAll,
     protocol::kMq | protocol::kBackendReq | protocol::kHostNotifier | protocol::kConfigureMemSlots,
     protocol::kMq | protocol::kBackendReq | protocol::kConfigureMemSlots,
     {"virtiofsd (Rust)", 1, InterruptUse::never, DestroyReply::may_be_missing, CreateExisting::allowed,
      LockWaits::by_client}},
};

} // namespace

Quirks recognise(FeatureSet offered, std::uint64_t protocol) noexcept {
    for (const Row& row : kRows) {
        if ((offered.bits() & row.features_of_interest) == row.features &&
            (protocol & row.protocol_of_interest) == row.protocol) {
            return row.quirks;
        }
    }
    return {};
}

} // namespace vfsproto::backends::vhost_user
