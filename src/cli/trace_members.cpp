// SPDX-License-Identifier: BSD-2-Clause
#include "trace_members.hpp"

#include "escape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <utility>

namespace vfsproto::cli {
namespace {

// Returns the length of the UTF-8 character at the front; 0 if there is none.
std::size_t character_length(std::string_view bytes) noexcept {
    constexpr std::size_t kLongest = 4;
    for (std::size_t length = 1; length <= std::min(bytes.size(), kLongest); ++length) {
        if (is_utf8(bytes.substr(0, length))) return length;
    }
    return 0;
}

void append_character(std::string& out, std::string_view character) {
    const auto first = static_cast<unsigned char>(character.front());
    if (first == '"' || first == '\\') {
        out.append("\\").append(character);
    } else if (first < ' ') {
        fmt::format_to(std::back_inserter(out), "\\u{:04x}", first);
    } else {
        out += character;
    }
}

void append_string(std::string& out, std::string_view text) {
    constexpr std::string_view kReplacement = "\xef\xbf\xbd"; // U+FFFD
    out += '"';
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length == 0) {
            out += kReplacement;
        } else {
            append_character(out, text.substr(0, length));
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    out += '"';
}

} // namespace

// Keys are ours and need no escapes.
void TraceMembers::key(std::string_view key) {
    if (!is_first_) out_ += ',';
    is_first_ = false;
    out_.append("\"").append(key).append("\":");
}

void TraceMembers::add(std::string_view key, std::uint64_t number) {
    this->key(key);
    fmt::format_to(std::back_inserter(out_), "{}", number);
}

void TraceMembers::add_signed(std::string_view key, std::int64_t number) {
    this->key(key);
    fmt::format_to(std::back_inserter(out_), "{}", number);
}

void TraceMembers::add_null(std::string_view key) {
    this->key(key);
    out_ += "null";
}

void TraceMembers::add_true(std::string_view key) {
    this->key(key);
    out_ += "true";
}

void TraceMembers::add_thousandths(std::string_view key, std::int64_t thousandths) {
    this->key(key);
    fmt::format_to(std::back_inserter(out_), "{}.{:03}", thousandths / 1000, thousandths % 1000);
}

void TraceMembers::add_text(std::string_view key, std::string_view text) {
    this->key(key);
    append_string(out_, text);
}

void TraceMembers::add_name(std::string_view key, std::string_view bytes) {
    add_text(key, bytes);
    if (!is_utf8(bytes)) add_text(std::string(key) + "_base64", to_base64(std::as_bytes(std::span(bytes))));
}

void TraceMembers::open(std::string_view key) {
    this->key(key);
    out_ += '{';
    is_first_ = true;
}

void TraceMembers::close() {
    out_ += '}';
    is_first_ = false;
}

void TraceMembers::add_fields(std::span<const wire::Field> fields, std::span<const std::byte> from) {
    for_each_field(fields, from, [this](const wire::Field& field, std::uint64_t value) {
        if (field.form == wire::FieldForm::negative) {
            add_signed(field.name, static_cast<std::int64_t>(value));
        } else if (field.form == wire::FieldForm::octal) {
            add_text(field.name, fmt::format("{:#o}", value));
        } else {
            add(field.name, value);
        }
    });
}

void TraceMembers::add_forgotten(const TracedRequest& request) {
    key("forgotten");
    out_ += '[';
    const char* before = "";
    for (const wire::ForgetOne& one : request.forgotten) {
        fmt::format_to(std::back_inserter(out_), "{}{{\"nodeid\":{},\"nlookup\":{}}}", std::exchange(before, ","),
                       one.nodeid, one.nlookup);
    }
    out_ += ']';
}

void TraceMembers::add_request(const TracedRequest& request) {
    add("queue", request.queue());
    add("slot", request.slot);
    add("uid", request.caller.uid);
    add("gid", request.caller.gid);
    add("pid", request.caller.pid);
    add("sent", request.sent);
    open("request");
    add_fields(wire::fields_of(*request.op).in, request.args());
    const wire::InTail tail = request.op->in_tail;
    const bool has_two = tail == wire::InTail::name_pair;
    if (has_two || tail == wire::InTail::name || tail == wire::InTail::name_data) add_name("name", request.name);
    if (has_two) add_name("name2", request.name2);
    if (!request.forgotten.empty()) add_forgotten(request);
    close();
}

void TraceMembers::add_answer(const TracedRequest& request, const TracedAnswer& answer) {
    if (answer.errc != Errc::ok) add_text("failure", to_string(answer.errc));
    if (answer.end == client::TraceEnd::abandoned) return;
    if (answer.error == 0) {
        add_null("error");
    } else {
        add_text("error", errno_word(answer.error));
        add_signed("errno", answer.error);
    }
    add("received", answer.received);
    open("answer");
    add_fields(wire::fields_of(*request.op).out, answer.out);
    if (answer.bytes) add("bytes", *answer.bytes);
    if (answer.entries) add("entries", *answer.entries);
    if (answer.target) add_name("target", *answer.target);
    close();
}

} // namespace vfsproto::cli
