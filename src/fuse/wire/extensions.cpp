// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/fuse/wire/extensions.hpp"

#include "vfsproto/fuse/wire/detail/struct_bytes.hpp"
#include "vfsproto/fuse/wire/message_size.hpp"

namespace vfsproto::wire {
namespace {

constexpr std::size_t padded(std::size_t size) noexcept { return (size + 7) & ~std::size_t{7}; }

constexpr std::size_t context_size(const NamedContext& context) noexcept {
    return padded(sizeof(SecurityContext) + name_size(context.name) + context.context.size());
}

} // namespace

Errc ExtensionWriter::add_security_contexts(std::span<const NamedContext> contexts) noexcept {
    if (contexts.size() > kMaxSecurityContexts) return Errc::bad_argument;
    std::size_t size = sizeof(ExtHeader);
    for (const NamedContext& context : contexts) size += context_size(context);
    if (size > room_.size() - used_) return Errc::too_large;

    std::byte* at = room_.data() + used_;
    __builtin_memset(at, 0, size);
    put_struct(at, ExtHeader{static_cast<u32>(size), static_cast<u32>(contexts.size())});
    at += sizeof(ExtHeader);
    for (const NamedContext& context : contexts) {
        put_struct(at, SecurityContext{static_cast<u32>(context.context.size()), 0});
        std::byte* const name = at + sizeof(SecurityContext);
        __builtin_memcpy(name, context.name.data(), context.name.size());
        if (!context.context.empty()) {
            __builtin_memcpy(name + name_size(context.name), context.context.data(), context.context.size());
        }
        at += context_size(context);
    }
    used_ += size;
    return Errc::ok;
}

Errc ExtensionWriter::add_groups(std::span<const u32> groups) noexcept {
    const std::size_t room = room_.size() - used_;
    if (groups.size() > room / sizeof(u32)) return Errc::too_large;
    const std::size_t size = padded(sizeof(ExtHeader) + sizeof(SuppGroups) + groups.size_bytes());
    if (size > room) return Errc::too_large;

    std::byte* const at = room_.data() + used_;
    __builtin_memset(at, 0, size);
    put_struct(at, ExtHeader{static_cast<u32>(size), kExtGroups});
    put_struct(at + sizeof(ExtHeader), SuppGroups{static_cast<u32>(groups.size())});
    if (!groups.empty()) {
        __builtin_memcpy(at + sizeof(ExtHeader) + sizeof(SuppGroups), groups.data(), groups.size_bytes());
    }
    used_ += size;
    return Errc::ok;
}

bool ExtensionReader::next() noexcept {
    if (rest_.empty()) return false;
    error_ = Errc::protocol_violation; // until this extension has proved good
    if (rest_.size() < sizeof(ExtHeader)) return false;
    const auto header = get_struct<ExtHeader>(rest_.data());
    if (header.size < sizeof(ExtHeader) || header.size > rest_.size() || header.size % 8 != 0) return false;
    extension_.body = rest_.subspan(sizeof(ExtHeader), header.size - sizeof(ExtHeader));
    extension_.kind = ExtensionKind::unknown;
    extension_.count = 0;
    if (header.type <= kMaxSecurityContexts) {
        extension_.kind = ExtensionKind::security_contexts;
        extension_.count = header.type;
    } else if (header.type == kExtGroups) {
        if (extension_.body.size() < sizeof(SuppGroups)) return false;
        extension_.kind = ExtensionKind::groups;
        extension_.count = get_struct<SuppGroups>(extension_.body.data()).nr_groups;
        if (extension_.count > (extension_.body.size() - sizeof(SuppGroups)) / sizeof(u32)) return false;
    }
    rest_ = rest_.subspan(header.size);
    error_ = Errc::ok;
    return true;
}

bool SecurityContextReader::next() noexcept {
    if (left_ == 0 || error_ != Errc::ok) return false;
    error_ = Errc::protocol_violation;
    if (rest_.size() < sizeof(SecurityContext)) return false;
    const auto header = get_struct<SecurityContext>(rest_.data());
    const std::span<const std::byte> body = rest_.subspan(sizeof(SecurityContext));
    std::size_t length = 0;
    while (length < body.size() && body[length] != std::byte{0}) ++length;
    if (length == body.size()) return false;
    if (header.size > body.size() - length - 1) return false;
    context_.name = Name::of_bytes(body.first(length));
    context_.context = body.subspan(length + 1, header.size);
    const std::size_t size = context_size(context_);
    rest_ = rest_.subspan(size < rest_.size() ? size : rest_.size());
    --left_;
    error_ = Errc::ok;
    return true;
}

u32 group_at(const Extension& extension, std::size_t i) noexcept {
    return get_struct<u32>(extension.body.data() + sizeof(SuppGroups) + i * sizeof(u32));
}

} // namespace vfsproto::wire
