// SPDX-License-Identifier: BSD-2-Clause
#include "vfsproto/posix/detail/cached_replies.hpp"

namespace vfsproto::posix {

namespace {

// Most names take one chunk, and the long ones two.
constexpr std::size_t chunks_for(std::size_t names) noexcept { return names + names / 4 + 16; }

} // namespace

CachedReplies::CachedReplies(const CacheOptions& options)
    : options_(options),
      entries_(std::make_unique_for_overwrite<client::CachedName[]>(options.names)),
      chunks_(std::make_unique_for_overwrite<client::NameChunk[]>(chunks_for(options.names))),
      buckets_(std::make_unique_for_overwrite<std::uint32_t[]>(options.names)),
      names(changes,
            {{entries_.get(), options.names},
             {chunks_.get(), chunks_for(options.names)},
             {buckets_.get(), options.names}},
            options.name_case),
      contents(changes, attributes, options.contents) {}

client::CacheTime CachedReplies::expiry(const Timeout& timeout, const Allowed& allowed,
                                        const AskedAt& asked) const noexcept {
    if (options_.mode == CacheMode::always) return client::kAlwaysValid;
    if (!timeout) return client::expiry_of(asked.time, allowed.seconds, allowed.nanoseconds);
    constexpr std::int64_t kNsPerSecond = 1'000'000'000;
    const std::int64_t length = timeout->count() < 0 ? 0 : timeout->count();
    return client::expiry_of(asked.time, static_cast<std::uint64_t>(length / kNsPerSecond),
                             static_cast<std::uint32_t>(length % kNsPerSecond));
}

client::CacheTime CachedReplies::name_expiry(const wire::EntryOut& entry, const AskedAt& asked) const noexcept {
    const Timeout& timeout = entry.nodeid == 0 ? options_.negative_timeout : options_.entry_timeout;
    return expiry(timeout, {entry.entry_valid, entry.entry_valid_nsec}, asked);
}

client::FreshAttributes CachedReplies::fresh(const wire::EntryOut& entry, const AskedAt& asked) const noexcept {
    return {entry.attr, expiry(options_.attribute_timeout, {entry.attr_valid, entry.attr_valid_nsec}, asked),
            asked.before};
}

client::FreshAttributes CachedReplies::fresh(const wire::AttrOut& answer, const AskedAt& asked) const noexcept {
    return {answer.attr, expiry(options_.attribute_timeout, {answer.attr_valid, answer.attr_valid_nsec}, asked),
            asked.before};
}

std::shared_ptr<const std::string> CachedReplies::find_content(const client::CachedNode& node, client::ContentKind kind,
                                                               const client::ContentVersion* now) noexcept {
    const client::Content* const found = contents.find(node, kind, now);
    return found != nullptr ? static_cast<const KeptContent*>(found)->text : nullptr;
}

void CachedReplies::keep_content(client::CachedNode& node, std::unique_ptr<KeptContent> fresh,
                                 const client::ContentRead& read) noexcept {
    discard(contents.put(node, *fresh.release(), read));
    while (client::Content* const old = contents.evict()) discard(old);
}

void CachedReplies::drop_contents() noexcept {
    while (client::Content* const old = contents.take_out_any()) discard(old);
}

} // namespace vfsproto::posix
