// SPDX-License-Identifier: BSD-2-Clause
// Random operations through posix::Mount, the rings and a server, compared step by step with plain POSIX calls in a
// directory of the host. VFSPROTO_MODEL_STEPS and VFSPROTO_MODEL_SEED replay or lengthen a run.
#include "support/model/mount_subject.hpp"
#include "support/model/posix_subject.hpp"

#include "support/catch.hpp"
#include "support/devices.hpp"

#include "vfsproto/posix/detail/channel.hpp"
#include "vfsproto/posix/mount_stats.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <set>

namespace {

using namespace vfsproto;
namespace fs = std::filesystem;

class Scratch {
public:
    Scratch() {
        // A tmpfs where there is one: hundreds of thousands of small operations.
        const fs::path base = fs::is_directory("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path();
        std::string name = (base / "vfsproto-model-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no scratch directory");
        path_ = name;
        fs::create_directory(path_ / "reference");
        fs::create_directory(path_ / "served");
    }
    ~Scratch() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    [[nodiscard]] std::string reference() const { return path_ / "reference"; }
    [[nodiscard]] std::string served() const { return path_ / "served"; }

private:
    fs::path path_;
};

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text != nullptr ? std::strtoull(text, nullptr, 10) : otherwise;
}

// True for a difference that is legal between file systems. Each has its reason.
using Exempt = std::function<bool(const model::Operation&, const std::string& ours, const std::string& reference)>;

void run(model::Subject& ours, model::Subject& reference, std::uint64_t steps, const Exempt& exempt) {
    const std::uint64_t seed = from_environment("VFSPROTO_MODEL_SEED", 20261121);
    model::Generator generator(seed);
    std::uint64_t succeeded = 0;
    for (std::uint64_t step = 0; step < steps; ++step) {
        const model::Operation operation = generator.next();
        const std::string mine = ours.apply(operation);
        const std::string theirs = reference.apply(operation);
        succeeded += theirs.starts_with("ok") ? 1 : 0;
        if (mine == theirs || exempt(operation, mine, theirs)) continue;
        INFO("seed " << seed << ", step " << step << ": " << operation.text());
        REQUIRE(mine == theirs);
    }
    // A run in which nearly everything fails would prove little.
    CHECK(succeeded * 3 > steps - steps / 4);
    CHECK(ours.whole_tree() == reference.whole_tree());
}

// True if two names are wrong in two ways and the sides differ in which they tell: a server checks both before it looks
// one up.
bool is_order_of_names(const model::Operation& operation, const std::string& ours, const std::string& theirs) {
    const bool both_failed = !ours.starts_with("ok") && !theirs.starts_with("ok");
    return operation.kind == model::Kind::rename && both_failed && operation.path2.size() > 255;
}

bool is_seek(const model::Operation& operation) {
    return operation.kind == model::Kind::seek_data || operation.kind == model::Kind::seek_hole;
}

bool is_xattr(const model::Operation& operation) { return operation.kind >= model::Kind::set_xattr; }

// A host that keeps data in pages of another size has holes elsewhere; a tmpfs may have no user xattrs at all.
bool is_of_hosts(const model::Operation& operation, const std::string& ours, const std::string& theirs) {
    return is_order_of_names(operation, ours, theirs) || is_seek(operation) ||
           (is_xattr(operation) && theirs == "EOPNOTSUPP");
}

} // namespace

TEST_CASE("random operations over packed rings, and over rings in order, equal plain POSIX calls", "[model]") {
    const auto kind = GENERATE(posix::RingKind::packed, posix::RingKind::split);
    const auto order =
        kind == posix::RingKind::packed ? GENERATE(UseOrder::any, UseOrder::in_order) : UseOrder::in_order;
    const Scratch scratch;
    ::umask(022);
    backends::LoopbackOptions device;
    device.offered = device.offered | FeatureSet::of(Feature::in_order);
    if (kind == posix::RingKind::packed) device.offered.add(Feature::ring_packed);
    device.queue_size = 100;
    posix::MountOptions options;
    options.channel.rings.order = order;
    auto mount = posix::Mount::open(
        backends::make_loopback(
            std::make_unique<backends::Passthrough>(backends::PassthroughOptions{.root = scratch.served()}), device),
        options);
    REQUIRE(mount);
    REQUIRE((*mount)->channel().rings()->request_ring().kind() == kind);
    model::MountSubject ours(**mount);
    model::PosixSubject reference(scratch.reference());
    run(ours, reference, from_environment("VFSPROTO_MODEL_STEPS", 20'000), is_order_of_names);
    CHECK((*mount)->channel().stats().violations == 0);
}

TEST_CASE("100,000 random operations through the loopback and passthrough equal plain POSIX calls", "[model]") {
    const Scratch scratch;
    ::umask(022);
    auto mount = posix::Mount::open(backends::make_loopback(
        std::make_unique<backends::Passthrough>(backends::PassthroughOptions{.root = scratch.served()})));
    REQUIRE(mount);
    {
        model::MountSubject ours(**mount);
        model::PosixSubject reference(scratch.reference());
        run(ours, reference, from_environment("VFSPROTO_MODEL_STEPS", 100'000), is_order_of_names);
    }
    CHECK((*mount)->channel().stats().violations == 0);
}

TEST_CASE("100,000 random operations through the loopback and memfs equal plain POSIX calls", "[model]") {
    const Scratch scratch;
    ::umask(022);
    backends::Memfs memfs;
    {
        auto mount = posix::Mount::open(backends::make_loopback(memfs));
        REQUIRE(mount);
        {
            model::MountSubject ours(**mount);
            model::PosixSubject reference(scratch.reference());
            run(ours, reference, from_environment("VFSPROTO_MODEL_STEPS", 100'000), is_of_hosts);
        }
        CHECK((*mount)->channel().stats().violations == 0);
        (*mount)->prune();
        CHECK(memfs.lookups() == 0);
    }
    CHECK(memfs.misuse().over_forgets == 0);
    CHECK(memfs.misuse().stale_nodes == 0);
    CHECK(memfs.misuse().bad_handles == 0);
    CHECK(memfs.open_handles() == 0);
}

TEST_CASE("random operations of a mount that keeps all it may equal plain POSIX calls", "[model][caches]") {
    const Scratch scratch;
    ::umask(022);
    backends::Memfs memfs;
    const bool is_in_memory = GENERATE(true, false);
    auto device = is_in_memory ? backends::make_loopback(memfs)
                               : backends::make_loopback(std::make_unique<backends::Passthrough>(
                                     backends::PassthroughOptions{.root = scratch.served()}));
    posix::MountOptions options;
    options.cache.mode = posix::CacheMode::always;
    auto mount = posix::Mount::open(std::move(device), options);
    REQUIRE(mount);
    {
        model::MountSubject ours(**mount);
        model::PosixSubject reference(scratch.reference());
        const Exempt exempt = is_in_memory ? is_of_hosts : is_order_of_names;
        run(ours, reference, from_environment("VFSPROTO_MODEL_STEPS", 20'000), exempt);
        CHECK(ours.whole_tree() == reference.whole_tree()); // as is kept
        for (int i = 0; i < 2; ++i) CHECK((*mount)->list("/", client::DirectoryFormat::dirents));
        const posix::CacheStats known = (*mount)->mount_stats().caches;
        CHECK(known.name_hits > 0);
        CHECK(known.target_hits > 0);
        CHECK(known.listing_hits > 0);
    }
    CHECK((*mount)->channel().stats().violations == 0);
}
