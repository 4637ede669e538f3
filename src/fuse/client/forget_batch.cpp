// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/client/forget_batch.hpp"

#include "vfsproto/fuse/wire/detail/message_writer.hpp"

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

ForgetLink& ForgetBatch::take_first() noexcept {
    ForgetLink& link = *first_;
    first_ = link.next;
    return link;
}

wire::RequestHead ForgetBatch::next_head(std::uint64_t unique) const noexcept {
    if (first_->next != nullptr) return {.opcode = wire::Opcode::batch_forget, .unique = unique};
    return {.opcode = wire::Opcode::forget, .unique = unique, .nodeid = first_->nodeid};
}

std::uint32_t ForgetBatch::encode(std::span<std::byte> message, std::uint64_t unique) noexcept {
    encoded_ = 0;
    if (first_ == nullptr) return 0;
    const wire::RequestHead head = next_head(unique);
    wire::MessageWriter writer(message.data());
    if (first_->next == nullptr) {
        ForgetLink& link = take_first();
        const wire::ForgetIn in{link.nlookup};
        writer.fixed(&in, sizeof(in));
        pass_on(link);
        encoded_ = 1;
        return writer.finish(head);
    }
    constexpr std::size_t kRecordsAt = sizeof(wire::InHeader) + sizeof(wire::BatchForgetIn);
    const std::size_t room = (message.size() - kRecordsAt) / sizeof(wire::ForgetOne);
    wire::BatchForgetIn in{};
    for (const ForgetLink* link = first_; link != nullptr && in.count < room; link = link->next) ++in.count;
    encoded_ = in.count;
    writer.fixed(&in, sizeof(in));
    for (std::uint32_t i = 0; i < in.count; ++i) {
        ForgetLink& link = take_first();
        const wire::ForgetOne one{link.nodeid, link.nlookup};
        writer.fixed(&one, sizeof(one));
        pass_on(link);
    }
    return writer.finish(head);
}

} // namespace vfsproto::client
