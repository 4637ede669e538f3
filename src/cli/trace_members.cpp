// SPDX-License-Identifier: BSD-2-Clause
#include "trace_members.hpp"

#include "escape.hpp"
#include "json.hpp"

#include "vfsproto/fuse/wire/op_table.hpp"

#include <fmt/format.h>

#include <iterator>
#include <utility>

namespace vfsproto::cli {

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
    out_ += Json(text).dump();
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
    const std::uint32_t names = wire::name_count(request.op->in_tail);
    if (names >= 1) add_name("name", request.name);
    if (names == 2) add_name("name2", request.name2);
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
