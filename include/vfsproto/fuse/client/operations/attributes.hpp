// SPDX-License-Identifier: BSD-2-Clause
// Operations on attributes and on the file system as a whole.
#pragma once

#include "vfsproto/fuse/client/operations/operation.hpp"

namespace vfsproto::client {

using GetAttributes = Single<wire::Opcode::getattr>;
using SetAttributes = Single<wire::Opcode::setattr>;
using CheckAccess = Single<wire::Opcode::access>;
using FileSystemStatus = Single<wire::Opcode::statfs>;
using SyncFileSystem = Single<wire::Opcode::syncfs>;

// STATX, or GETATTR where the server has none; then only what GETATTR knows is in the mask.
class ExtendedStatus final : public Operation {
public:
    void start(Client& client, const Caller& caller, std::uint64_t nodeid, const wire::StatxIn& wanted) noexcept;
    [[nodiscard]] const wire::StatxOut& result() const noexcept { return statx_.reply; }

private:
    void answered() noexcept;
    void ask_attributes() noexcept;
    void attributes() noexcept;

    Call<wire::Opcode::statx> statx_;
    Call<wire::Opcode::getattr> getattr_;
    std::uint64_t nodeid_ = 0;
};

} // namespace vfsproto::client
