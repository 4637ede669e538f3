// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/forget_batch.hpp"

#include "vfsproto/fuse/wire/opcode.hpp"

namespace vfsproto::client {

void ForgetBatch::add(ForgetLink& link) noexcept {
    link.next = nullptr;
    if (link.nlookup == 0 || link.nodeid <= wire::kRootNodeId) return pass_on(link);
    (first_ == nullptr ? first_ : last_->next) = &link;
    last_ = &link;
}

void ForgetBatch::pass_on(ForgetLink& link) noexcept {
    link.next = written_;
    written_ = &link;
}

ForgetLink* ForgetBatch::take_written() noexcept {
    ForgetLink* link = written_;
    if (link != nullptr) written_ = link->next;
    return link;
}

void ForgetBatch::drop_all() noexcept {
    while (first_ != nullptr) {
        ForgetLink& link = *first_;
        first_ = link.next;
        pass_on(link);
    }
}

std::uint32_t ForgetBatch::encode(std::span<std::byte> message, std::uint64_t unique) noexcept {
    if (first_ == nullptr) return 0;
    wire::InHeader header{};
    header.unique = unique;
    const bool single = first_->next == nullptr;
    std::size_t at = sizeof(header);
    if (single) {
        const wire::ForgetIn in{first_->nlookup};
        header.opcode = static_cast<std::uint32_t>(wire::Opcode::forget);
        header.nodeid = first_->nodeid;
        __builtin_memcpy(message.data() + at, &in, sizeof(in));
        at += sizeof(in);
        ForgetLink& link = *first_;
        first_ = nullptr;
        pass_on(link);
    } else {
        wire::BatchForgetIn in{};
        header.opcode = static_cast<std::uint32_t>(wire::Opcode::batch_forget);
        std::size_t end = at + sizeof(in);
        while (first_ != nullptr && end + sizeof(wire::ForgetOne) <= message.size()) {
            ForgetLink& link = *first_;
            const wire::ForgetOne one{link.nodeid, link.nlookup};
            __builtin_memcpy(message.data() + end, &one, sizeof(one));
            end += sizeof(one);
            ++in.count;
            first_ = link.next;
            pass_on(link);
        }
        __builtin_memcpy(message.data() + at, &in, sizeof(in));
        at = end;
    }
    header.len = static_cast<std::uint32_t>(at);
    __builtin_memcpy(message.data(), &header, sizeof(header));
    return header.len;
}

} // namespace vfsproto::client
