// SPDX-License-Identifier: BSD-2-Clause
// A transport that writes down what is asked of it, and fails exactly the call it was told to fail.
#pragma once

#include "vfsproto/transport/transport.hpp"

#include <cstring>
#include <string>
#include <vector>

namespace vfsproto::test {

class ScriptedTransport final : public Transport {
public:
    FeatureSet offered = FeatureSet::of(Feature::version_1, Feature::event_idx, Feature::indirect_desc);
    std::vector<std::byte> config;
    std::uint8_t refuse_status = 0; // bits that do not stick
    std::uint8_t extra_status = 0;  // bits that appear by themselves
    std::size_t fail_at = ~std::size_t{0};
    Errc fail_with = Errc::transport_failed;
    std::vector<std::string> calls;
    FeatureSet accepted;

    Result<FeatureSet> device_features() noexcept override {
        if (const Errc why = note("features"); why != Errc::ok) return why;
        return offered;
    }
    Errc accept_features(FeatureSet features) noexcept override {
        accepted = features;
        return note("accept");
    }
    Errc read_config(std::uint32_t offset, std::span<std::byte> out) noexcept override {
        if (const Errc why = note("config " + std::to_string(offset) + "+" + std::to_string(out.size()));
            why != Errc::ok) {
            return why;
        }
        if (offset > config.size() || out.size() > config.size() - offset) return Errc::config_invalid;
        std::memcpy(out.data(), config.data() + offset, out.size());
        return Errc::ok;
    }
    Result<std::uint16_t> queue_count() noexcept override { return std::uint16_t{2}; }
    Result<std::uint16_t> max_queue_size(QueueIndex) noexcept override { return std::uint16_t{128}; }
    Errc enable_queue(QueueIndex index, const QueueAddresses&) noexcept override {
        return note("queue " + std::to_string(static_cast<unsigned>(index)));
    }
    Result<std::uint8_t> status() noexcept override {
        if (const Errc why = note("status?"); why != Errc::ok) return why;
        return static_cast<std::uint8_t>((status_ & ~refuse_status) | extra_status);
    }
    Errc set_status(std::uint8_t value) noexcept override {
        status_ = value;
        return note("status=" + std::to_string(value));
    }
    Errc reset() noexcept override {
        status_ = 0;
        return note("reset");
    }
    Doorbell doorbell(QueueIndex) noexcept override { return {}; }
    WaitHandle wait_handle(QueueIndex) noexcept override { return {}; }

private:
    Errc note(std::string what) noexcept {
        calls.push_back(std::move(what));
        return calls.size() - 1 == fail_at ? fail_with : Errc::ok;
    }

    std::uint8_t status_ = 0;
};

} // namespace vfsproto::test
