// SPDX-License-Identifier: BSD-2-Clause
#include "text_trace.hpp"

#include "escape.hpp"

#include "vfsproto/fuse/wire/op_table.hpp"

#include <fmt/format.h>

#include <iterator>

namespace vfsproto::cli {
namespace {

using wire::FieldForm;

template <class... Args> void append(std::string& out, fmt::format_string<Args...> format, Args&&... args) {
    fmt::format_to(std::back_inserter(out), format, std::forward<Args>(args)...);
}

std::string in_quotes(std::string_view bytes) {
    std::string text;
    for (const char byte : bytes) {
        if (byte == '"' || byte == '\\') text += '\\';
        text += byte;
    }
    return '"' + printable(text) + '"';
}

// Returns bits by their names, those without a name as a number: "O_RDWR|O_CREAT|0x80000000".
std::string names_of_bits(const wire::Field& field, std::uint64_t value) {
    std::string text;
    std::uint64_t rest = value;
    for (const wire::BitName& bit : field.bits) {
        if ((value & bit.mask) != bit.value) continue;
        text.append(text.empty() ? "" : "|").append(bit.name);
        rest &= ~std::uint64_t{bit.mask};
    }
    if (rest != 0 || text.empty()) text += fmt::format("{}{:#x}", text.empty() ? "" : "|", rest);
    return text;
}

std::string text_of(const wire::Field& field, std::uint64_t value) {
    switch (field.form) {
    case FieldForm::negative: return fmt::format("{}", static_cast<std::int64_t>(value));
    case FieldForm::octal: return fmt::format("{:#o}", value);
    case FieldForm::hex: return fmt::format("{:#x}", value);
    case FieldForm::bits: return names_of_bits(field, value);
    case FieldForm::number:
    case FieldForm::node:
    case FieldForm::unused: break;
    }
    return fmt::format("{}", value);
}

void append_fields(std::string& out, std::span<const wire::Field> fields, std::span<const std::byte> from) {
    for_each_field(fields, from, [&out](const wire::Field& field, std::uint64_t value) {
        append(out, " {}={}", field.name, text_of(field, value));
    });
}

void append_request(std::string& out, const TracedRequest& request) {
    const abi::Caller& caller = request.caller;
    append(out, " queue={} slot={} uid={} gid={} pid={} sent={}", request.queue(), request.slot, caller.uid, caller.gid,
           caller.pid, request.sent);
    append_fields(out, wire::fields_of(*request.op).in, request.args());
    const std::uint32_t names = wire::name_count(request.op->in_tail);
    if (names >= 1) append(out, " name={}", in_quotes(request.name));
    if (names == 2) append(out, " name2={}", in_quotes(request.name2));
    for (const wire::ForgetOne& one : request.forgotten) append(out, " {}:{}", one.nodeid, one.nlookup);
}

// Returns microseconds with three digits behind the point.
std::string microseconds(TraceClock::Moment time) {
    return fmt::format("{}.{:03}", time.count() / 1000, time.count() % 1000);
}

} // namespace

void TextTrace::head(std::string& out, TraceClock::Moment moment, const char* what,
                     const TracedRequest& request) const {
    append(out, "{} {} {} unique={:#x} node={}", clock_.wall(moment), what, request.op->name, request.unique,
           request.nodeid);
}

void TextTrace::started(std::string& out, const TracedRequest& request) {
    head(out, request.start, "start", request);
    append_request(out, request);
    out += '\n';
}

void TextTrace::ended(std::string& out, const TracedRequest& request, const TracedAnswer& answer) {
    head(out, answer.moment, word_of(answer.end), request);
    append(out, " latency_us={}", microseconds(answer.moment - request.start));
    if (answer.errc != Errc::ok) append(out, " failure={}", in_quotes(to_string(answer.errc)));
    if (answer.end != client::TraceEnd::abandoned) {
        append(out, " error={} received={}", answer.error == 0 ? "0" : errno_word(answer.error), answer.received);
    }
    append_fields(out, wire::fields_of(*request.op).out, answer.out);
    if (answer.bytes) append(out, " bytes={}", *answer.bytes);
    if (answer.entries) append(out, " entries={}", *answer.entries);
    if (answer.target) append(out, " target={}", in_quotes(*answer.target));
    out += '\n';
}

void TextTrace::unanswered(std::string& out, const TracedRequest& request, TraceClock::Moment now) {
    head(out, now, "unanswered", request);
    append(out, " waited_us={}", microseconds(now - request.start));
    append_request(out, request);
    out += '\n';
}

} // namespace vfsproto::cli
