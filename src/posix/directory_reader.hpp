// SPDX-License-Identifier: BSD-2-Clause
// A DirectoryReader is the inside of a Directory: which requests bring its entries, and what their answers say.
#pragma once

#include "vfsproto/abi/caller.hpp"
#include "vfsproto/fuse/client/operations/directories.hpp"
#include "vfsproto/posix/detail/abandoned_call.hpp"
#include "vfsproto/posix/detail/asked_at.hpp"
#include "vfsproto/posix/detail/listing.hpp"
#include "vfsproto/posix/detail/open_handle.hpp"

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

namespace vfsproto::wire {
struct DirEntry;
}

namespace vfsproto::posix {

class NodeCache;

// Entries are read in turns. take_known() brings them without a request. Where it cannot, a READDIR of place() is run, with room() for
// its records, and take() gets its answer. One thread at a time.
class DirectoryReader {
public:
    // `caller` is that of the mount that opened the directory. `listing` is nullptr where the listing is not kept.
    DirectoryReader(std::unique_ptr<OpenHandle> handle, NodeCache& cache, const abi::Caller& caller,
                    client::DirectoryFormat format, std::unique_ptr<Listing> listing);

    [[nodiscard]] const OpenHandle& handle() const noexcept { return *handle_; }
    [[nodiscard]] OpenHandle& handle() noexcept { return *handle_; }
    // Gives the handle away. Nothing is read from then on.
    [[nodiscard]] std::shared_ptr<OpenHandle> take_handle() noexcept { return std::move(handle_); }
    [[nodiscard]] const abi::Caller& caller() const noexcept { return caller_; }
    [[nodiscard]] client::DirectoryFormat format() const noexcept { return format_; }
    // Returns what a request that names the directory keeps until its late reply.
    [[nodiscard]] Held held() const;
    // Starts the listing again.
    void rewind() noexcept {
        cookie_ = 0;
        is_at_start_ = true;
    }

    // True if the next entries are known: they were added to `to` then, and none at the end. Else the server is to be asked.
    [[nodiscard]] bool take_known(std::vector<DirectoryEntry>& to);
    [[nodiscard]] client::ReadDirectory::Place place() const noexcept {
        return {handle_->nodeid, handle_->fh, cookie_};
    }
    [[nodiscard]] std::span<std::byte> room();
    // Returns the entries of an answer, none at the end.
    [[nodiscard]] Expected<std::vector<DirectoryEntry>> take(const client::ReadDirectory& read);

private:
    [[nodiscard]] Failure take_records(std::span<const std::byte> records, std::vector<DirectoryEntry>& out);
    [[nodiscard]] DirectoryEntry entry_of(const wire::DirEntry& from);
    [[nodiscard]] Failure take_names(std::span<const std::byte> records, std::vector<DirectoryEntry>& out);
    [[nodiscard]] Failure take_entries(std::span<const std::byte> records, std::vector<DirectoryEntry>& out);

    std::shared_ptr<OpenHandle> handle_; // shared with a request that its caller no longer waits for
    NodeCache& cache_;
    AskedAt asked_{}; // when the records in buffer_ were asked for
    abi::Caller caller_;
    client::DirectoryFormat format_;
    std::uint64_t cookie_ = 0;
    std::vector<std::byte> buffer_;
    std::unique_ptr<Listing> listing_;
    bool is_at_start_ = true;
};

} // namespace vfsproto::posix
