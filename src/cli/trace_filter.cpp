// SPDX-License-Identifier: BSD-2-Clause
#include "trace_filter.hpp"

#include "traced_request.hpp"

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/abi/numbers.hpp"
#include "vfsproto/fuse/wire/dirents.hpp"

#include <strings.h>

#include <algorithm>
#include <charconv>

namespace vfsproto::cli {
namespace {

template <class Number> bool read_number(std::string_view text, Number& number) {
    const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number);
    return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

bool are_equal(std::string_view word, std::string_view name) {
    return word.size() == name.size() && ::strncasecmp(word.data(), name.data(), name.size()) == 0;
}

bool read_error(std::string_view text, std::int32_t& error) {
    if (read_number(text, error)) return error > 0 && error <= abi::kMaxErrno;
    for (error = 1; error <= abi::kMaxErrno; ++error) {
        const auto number = static_cast<abi::Errno>(error);
        if (abi::has_name(number) && are_equal(text, abi::errno_name(number))) return true;
    }
    return false;
}

} // namespace

bool TraceFilter::add(std::string_view words) {
    TraceFilter more = *this;
    for (;;) {
        const std::size_t comma = words.find(',');
        if (!more.add_one(words.substr(0, comma))) return false;
        if (comma == std::string_view::npos) break;
        words.remove_prefix(comma + 1);
    }
    *this = more;
    return true;
}

bool TraceFilter::add_one(std::string_view word) {
    constexpr std::string_view kNode = "node=";
    constexpr std::string_view kError = "error=";
    if (are_equal(word, "error")) {
        any_error_ = true;
        return true;
    }
    if (word.starts_with(kNode)) return read_number(word.substr(kNode.size()), nodes_.emplace_back());
    if (word.starts_with(kError)) return read_error(word.substr(kError.size()), errors_.emplace_back());
    for (const wire::OpInfo& op : wire::kOpInfo) {
        if (!are_equal(word, op.name)) continue;
        operations_.push_back(&op);
        return true;
    }
    return false;
}

bool TraceFilter::has_operation(const TracedRequest& request) const {
    return operations_.empty() || std::find(operations_.begin(), operations_.end(), request.op) != operations_.end();
}

bool TraceFilter::is_wanted(std::uint64_t nodeid) const {
    return std::find(nodes_.begin(), nodes_.end(), nodeid) != nodes_.end();
}

bool TraceFilter::names_node(std::span<const wire::Field> fields, std::span<const std::byte> from) const {
    bool found = false;
    for_each_field(fields, from, [&](const wire::Field& field, std::uint64_t value) {
        found = found || (field.form == wire::FieldForm::node && is_wanted(value));
    });
    return found;
}

bool TraceFilter::names_node(const TracedRequest& request) const {
    return is_wanted(request.nodeid) || names_node(wire::fields_of(*request.op).in, request.args()) ||
           std::any_of(request.forgotten.begin(), request.forgotten.end(),
                       [this](const wire::ForgetOne& one) { return is_wanted(one.nodeid); });
}

bool TraceFilter::names_node(const TracedRequest& request, const TracedAnswer& answer) const {
    if (names_node(wire::fields_of(*request.op).out, answer.out)) return true;
    wire::DirentplusReader records(answer.records);
    while (records.next()) {
        if (is_wanted(records.entry().entry.nodeid)) return true;
    }
    return false;
}

TraceFilter::Decision TraceFilter::at_start(const TracedRequest& request) const {
    if (!has_operation(request)) return Decision::hide;
    const bool wants_errors = any_error_ || !errors_.empty();
    if (nodes_.empty() || names_node(request)) return wants_errors ? Decision::when_over : Decision::show;
    const bool may_name = request.op->grants.lookups != wire::Grants::Lookups::none;
    return may_name ? Decision::when_over : Decision::hide;
}

bool TraceFilter::at_end(const TracedRequest& request, const TracedAnswer* answer) const {
    if (!has_operation(request)) return false;
    const bool names = nodes_.empty() || names_node(request) || (answer != nullptr && names_node(request, *answer));
    if (!names || (!any_error_ && errors_.empty())) return names;
    if (any_error_ && (answer == nullptr || answer->failed())) return true;
    return answer != nullptr && std::find(errors_.begin(), errors_.end(), answer->error) != errors_.end();
}

} // namespace vfsproto::cli
