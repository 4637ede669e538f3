// SPDX-License-Identifier: BSD-2-Clause
// A DAX window against a model of the server: random questions, uses, cuts, evictions and failures. Whatever the window says is
// ready is mapped at the server to those very bytes, and what is in use is never removed.
#include "support/catch.hpp"
#include "vfsproto/fuse/client/dax_window.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <vector>

using namespace vfsproto;
using namespace vfsproto::client;
using abi::Errno;
using Kind = DaxAnswer::Kind;

namespace {

constexpr std::size_t kRange = 4096;
constexpr std::size_t kNodes = 4;
constexpr std::size_t kPieces = 6; // of a file

struct Mapping {
    std::uint64_t nodeid = 0;
    std::uint64_t foffset = 0;
    bool writable = false;
};

class Model {
public:
    Model(std::size_t count, std::uint32_t seed) : ranges_(count), buckets_(3, nullptr), random_(seed) {
        REQUIRE(window_.init({count * kRange, 12, kRange}, ranges_, buckets_) == Errc::ok);
    }

    void step() {
        switch (below(10)) {
        case 0:
        case 1:
        case 2:
        case 3: ask(); break;
        case 4:
        case 5: release(); break;
        case 6: answer_set_up(); break;
        case 7: below(2) != 0 ? take() : answer_removal(); break;
        case 8: below(3) != 0 ? cut() : window_.drop_node(1 + below(kNodes)); break;
        default:
            answer_set_up();
            answer_removal();
            break;
        }
        check();
    }

    // Ends everything, and starts anew: no range was lost on the way.
    void settle() {
        while (!cuts_.empty()) end_cut();
        while (!setting_up_.empty()) answer_set_up();
        while (!used_.empty()) release();
        while (!removals_.empty()) answer_removal();
        for (;;) {
            const std::size_t before = removals_.size();
            take();
            if (removals_.size() == before) break;
            answer_removal();
        }
        CHECK(window_.free_count() + window_.quarantined_count() == ranges_.size());
        REQUIRE(window_.reset() == Errc::ok);
        CHECK(window_.free_count() == ranges_.size());
        quarantine_.clear();
        mapped_.clear();
    }

    [[nodiscard]] const DaxCounters& counters() const { return window_.counters(); }

private:
    struct Use {
        DaxRange* range;
        DaxWanted wanted;
    };
    struct Removal {
        DaxRemoval removal;
        std::vector<wire::RemovemappingOne> entries;
    };

    std::size_t below(std::size_t limit) { return std::uniform_int_distribution<std::size_t>(0, limit - 1)(random_); }
    template <class T> T take_any(std::vector<T>& from) {
        const std::size_t which = below(from.size());
        std::swap(from[which], from.back());
        T taken = std::move(from.back());
        from.pop_back();
        return taken;
    }

    void ask() {
        const DaxWanted wanted{1 + below(kNodes), below(kPieces * kRange), 1 + below(2 * kRange),
                               1 + below(kPieces * kRange), below(3) == 0 ? MapAccess::write : MapAccess::read};
        const DaxAnswer answer = window_.acquire(wanted);
        if (answer.range != nullptr) {
            CHECK(answer.length > 0);
            CHECK(answer.length <= wanted.length);
            CHECK(wanted.offset + answer.length <= wanted.size);
            CHECK(answer.range->file_offset <= wanted.offset);
            CHECK(wanted.offset + answer.length <= answer.range->file_offset + kRange);
            CHECK(answer.window_offset - answer.range->window_offset == wanted.offset - answer.range->file_offset);
            CHECK(quarantine_.count(answer.range->window_offset) == 0);
            CHECK(being_removed_.count(answer.range->window_offset) == 0);
            for (const auto& cut : cuts_) CHECK_FALSE(touches(*cut, wanted.nodeid, answer.range->file_offset));
        }
        if (answer.kind == Kind::ready) {
            check_mapped(*answer.range, wanted);
            used_.push_back({answer.range, wanted});
        }
        if (answer.kind == Kind::set_up) setting_up_.push_back({answer.range, wanted});
        if (answer.kind == Kind::reclaim) take();
    }

    void check_mapped(const DaxRange& range, const DaxWanted& wanted) {
        const auto found = mapped_.find(range.window_offset);
        REQUIRE(found != mapped_.end());
        CHECK(found->second.nodeid == wanted.nodeid);
        CHECK(found->second.foffset == (wanted.offset & ~(kRange - 1)));
        if (wanted.access == MapAccess::write) CHECK(found->second.writable);
    }

    void release() {
        if (used_.empty()) return;
        const Use use = take_any(used_);
        check_mapped(*use.range, use.wanted); // all the time until now
        window_.release(*use.range);
    }

    // The server does it, refuses it, or does either without the client's knowing.
    void answer_set_up() {
        if (setting_up_.empty()) return;
        const Use asked = take_any(setting_up_);
        const wire::SetupmappingIn args = window_.setup_args(*asked.range);
        const std::uint64_t fate = below(30);
        const bool lost = fate == 0;
        const bool refused = fate == 1 || (lost && below(2) != 0);
        if (!refused) {
            mapped_[args.moffset] = {asked.range->nodeid, args.foffset, (args.flags & wire::kSetupmappingWrite) != 0};
        } else if (below(2) != 0) {
            mapped_.erase(args.moffset); // a server may fail half-way
        }
        if (lost) quarantine_.insert(args.moffset);
        const bool there = window_.handle_set_up(*asked.range, lost ? Errc::timed_out : Errc::ok,
                                                 refused && !lost ? Errno::eio : Errno::none);
        CHECK(there == (!lost && !refused));
        if (!there) return;
        check_mapped(*asked.range, asked.wanted);
        used_.push_back(asked);
    }

    void take() {
        Removal taken;
        taken.entries.resize(1 + below(4));
        if (!window_.take_removal(taken.removal, taken.entries)) return;
        REQUIRE(taken.removal.count >= 1);
        REQUIRE(taken.removal.count <= taken.entries.size());
        taken.entries.resize(taken.removal.count);
        for (const wire::RemovemappingOne& one : taken.entries) {
            CHECK(one.len == kRange);
            CHECK(being_removed_.insert(one.moffset).second);
            for (const Use& use : used_) CHECK(use.range->window_offset != one.moffset);
            for (const Use& use : setting_up_) CHECK(use.range->window_offset != one.moffset);
        }
        removals_.push_back(std::move(taken));
    }

    void answer_removal() {
        if (removals_.empty()) return;
        const Removal done = take_any(removals_);
        const bool failed = below(30) == 0;
        for (const wire::RemovemappingOne& one : done.entries) {
            being_removed_.erase(one.moffset);
            if (!failed) mapped_.erase(one.moffset);
            if (failed) quarantine_.insert(one.moffset);
        }
        const bool lost = failed && below(2) != 0;
        window_.handle_removed(done.removal, lost ? Errc::abandoned : Errc::ok,
                               failed && !lost ? Errno::eio : Errno::none);
    }

    static bool touches(const DaxCut& cut, std::uint64_t nodeid, std::uint64_t foffset) {
        return cut.nodeid == nodeid && foffset < cut.to && cut.from < foffset + kRange;
    }

    void cut() {
        if (cuts_.size() < 2 && below(2) != 0) {
            auto cut = std::make_unique<DaxCut>();
            cut->nodeid = 1 + below(kNodes);
            cut->from = below(kPieces * kRange);
            if (below(2) != 0) cut->to = cut->from + below(2 * kRange);
            window_.begin_cut(*cut);
            cuts_.push_back(std::move(cut));
        } else if (!cuts_.empty()) {
            end_cut();
        }
    }

    void end_cut() {
        const std::unique_ptr<DaxCut> cut = take_any(cuts_);
        const auto used = [&](const std::vector<Use>& uses) {
            return std::any_of(uses.begin(), uses.end(), [&](const Use& use) {
                return touches(*cut, use.wanted.nodeid, use.range->file_offset);
            });
        };
        CHECK(window_.may_cut(*cut) == !(used(used_) || used(setting_up_)));
        window_.end_cut(*cut);
    }

    void check() {
        CHECK(window_.quarantined_count() == quarantine_.size());
        std::size_t used = 0;
        for (const DaxRange& range : ranges_) used += range.uses;
        CHECK(used == used_.size() + setting_up_.size());
    }

    std::vector<DaxRange> ranges_;
    std::vector<DaxRange*> buckets_;
    DaxWindow window_;
    std::mt19937 random_;
    std::map<std::uint64_t, Mapping> mapped_; // at the server, by place in the window
    std::set<std::uint64_t> quarantine_;
    std::set<std::uint64_t> being_removed_;
    std::vector<Use> used_;
    std::vector<Use> setting_up_;
    std::vector<Removal> removals_;
    std::vector<std::unique_ptr<DaxCut>> cuts_;
};

} // namespace

TEST_CASE("dax: random operations and failures: what is ready is mapped, and nothing in use is removed", "[dax]") {
    const std::uint32_t seed = GENERATE(range(1u, 21u));
    INFO("seed " << seed);
    Model model(2 + seed % 9, seed);
    for (int round = 0; round < 20; ++round) {
        for (int i = 0; i < 250; ++i) model.step();
        model.settle();
    }
    CHECK(model.counters().hits > 0);
    CHECK(model.counters().removed > 0);
    CHECK(model.counters().failed > 0);
}
