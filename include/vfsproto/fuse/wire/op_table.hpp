// SPDX-License-Identifier: BSD-2-Clause
// THE table of FUSE operations. Encoding, decoding on both sides, slot sizes, queue choice, trace names, fuzz targets,
// the documentation's table and the round-trip test derive from it; nothing else lists or switches on opcodes.
#pragma once

#include "vfsproto/abi/errno.hpp"
#include "vfsproto/fuse/wire/opcode.hpp"
#include "vfsproto/fuse/wire/structs.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace vfsproto::wire {

// The bytes that follow the fixed struct of a request.
enum class InTail : std::uint8_t {
    none,
    name,      // one NUL-terminated name
    name_pair, // two NUL-terminated names
    name_data, // a NUL-terminated name, then bytes (SETXATTR)
    data,      // bytes, as many as a size field says
    array,     // records, as many as a count field says
};
// Returns how many names a request of the row carries, empty ones included.
[[nodiscard]] constexpr std::uint32_t name_count(InTail tail) noexcept {
    switch (tail) {
    case InTail::name:
    case InTail::name_data: return 1;
    case InTail::name_pair: return 2;
    default: return 0;
    }
}

// The bytes that follow the fixed struct of a reply.
enum class OutTail : std::uint8_t {
    none,
    data,         // bytes, at most what was asked for
    dirents,      // Dirent records
    direntpluses, // Direntplus records
    size_or_data, // the fixed struct when the request's size was 0, bytes without it otherwise (GETXATTR, LISTXATTR)
};
// virtio 1.2 §5.11.6.2: FORGET, BATCH_FORGET and INTERRUPT solely on hiprio.
enum class QueueKind : std::uint8_t { request, hiprio };
enum class ReplyOwed : std::uint8_t { always, never, on_error };
// Says whether the server may hold this request back for longer than its own work takes.
enum class Blocking : std::uint8_t {
    never,
    may,         // a flush to a disk, a lease
    for_another, // until another request comes, maybe of this client: a lock another owner has, an event
};
// Security context and supplementary group extensions after the last string (7.36, 7.38).
enum class Extensions : std::uint8_t { none, allowed };
// Irregular sizes, spelled here and nowhere else.
enum class Compat : std::uint8_t {
    none,
    short_request, // the request's struct ends early unless an INIT flag is negotiated (SETXATTR)
    short_reply,   // the reply's struct may end early, by the server's minor, and so may the request's (INIT)
};
// Says what silence means where a reply is owed.
enum class Silence : std::uint8_t { violation, seen }; // seen: one server leaves it out (client::Quirks)
// Says what the server's ENOSYS means for an operation that is a single request (Linux fs/fuse).
enum class Remember : std::uint8_t { no, yes };
struct EnosysRule {
    abi::Errno becomes = abi::Errno::enosys; // what the caller sees; none = success without effect
    Remember remember = Remember::no;        // yes: the operation is not asked for again in this session

    // False: ENOSYS is an error like any other, or an operation of its own deals with it.
    [[nodiscard]] constexpr bool applies() const noexcept { return becomes != abi::Errno::enosys; }
};
// The type of the file that a good reply describes.
enum class MakesType : std::uint8_t {
    any,
    directory,
    symlink,
    regular,
    as_asked
}; // as_asked: of the mode in the request
// Says whether a request may be sent once more when nobody knows what became of the first (a new connection).
enum class Repeat : std::uint8_t { unsafe, safe, unless_appending };
// Says whether a server may run the request on another thread than the one that took it off its queue.
enum class Offload : std::uint8_t { allowed, never };
// Says how a request uses the span of a file that its `offset` and `size` (FALLOCATE: `length`) name.
enum class FileSpan : std::uint8_t { none, read, written };
// Says what a good reply means for the file on stable storage. owed: it was changed, and is there after an FSYNC. reported: what failed
// on the way there before is told by now. settled: all of it is there.
enum class Storage : std::uint8_t { untouched, owed, reported, settled };

struct Traits {
    QueueKind queue = QueueKind::request;
    ReplyOwed reply = ReplyOwed::always;
    Blocking blocking = Blocking::never;
    Extensions extensions = Extensions::none;
    Compat compat = Compat::none;
    FileSpan span = FileSpan::none;
    Silence silence = Silence::violation;
    EnosysRule enosys{};
    MakesType makes = MakesType::any;
    Repeat repeat = Repeat::unsafe;
    Offload offload = Offload::allowed;
    Storage storage = Storage::untouched;
    Opcode gives_back{}; // the request that closes the handle which a good reply opens; 0: it opens none
};

template <std::size_t N> struct FixedString {
    char text[N]{};
    constexpr FixedString(const char (&from)[N]) noexcept { // NOLINT: implicit by design
        for (std::size_t i = 0; i < N; ++i) text[i] = from[i];
    }
};

// The u32 of a request's struct that says how long its tail of data or records is.
struct TailField {
    std::uint16_t offset{};
    std::uint16_t unit{}; // bytes a count stands for; 0 = there is no such field
};
template <class In> inline constexpr std::size_t kRecordSize = 0;
template <> inline constexpr std::size_t kRecordSize<BatchForgetIn> = sizeof(ForgetOne);
template <> inline constexpr std::size_t kRecordSize<RemovemappingIn> = sizeof(RemovemappingOne);

template <class In, InTail Tail> consteval TailField tail_field() noexcept {
    if constexpr (Tail == InTail::array)
        return {offsetof(In, count), kRecordSize<In>};
    else if constexpr (Tail != InTail::data && Tail != InTail::name_data)
        return {};
    else if constexpr (requires(In in) { in.in_size; })
        return {offsetof(In, in_size), 1};
    else
        return {offsetof(In, size), 1};
}

// A good reply makes the server keep these for the client until they are given back: lookups of nodes (FORGET), a
// handle (Traits::gives_back).
struct Grants {
    static constexpr std::uint16_t kNone = 0xffff;
    enum class Lookups : std::uint8_t { none, one, each_record } lookups = Lookups::none;
    std::uint16_t node_at = kNone;   // where the struct holds the nodeid looked up; 0 there: none was
    std::uint16_t handle_at = kNone; // where it holds the handle
};
template <class Out> inline constexpr Grants kGrants{};
template <> inline constexpr Grants kGrants<EntryOut>{Grants::Lookups::one, offsetof(EntryOut, nodeid)};
template <> inline constexpr Grants kGrants<OpenOut>{.handle_at = offsetof(OpenOut, fh)};
template <> inline constexpr Grants kGrants<CreateOut>{Grants::Lookups::one,
                                                       offsetof(CreateOut, entry) + offsetof(EntryOut, nodeid),
                                                       offsetof(CreateOut, open) + offsetof(OpenOut, fh)};
template <class Out, OutTail Tail> consteval Grants grants_of() noexcept {
    if (Tail == OutTail::direntpluses) return {.lookups = Grants::Lookups::each_record};
    return kGrants<Out>;
}

template <Opcode Op, FixedString Name, std::uint8_t Since, class In_, InTail InTail_, class Out_, OutTail OutTail_,
          Traits Traits_ = Traits{}>
struct Row {
    using In = In_;
    using Out = Out_;
    static constexpr Opcode opcode = Op;
    static constexpr const char* name = Name.text;
    static constexpr std::uint8_t since = Since; // the minor it came with
    static constexpr InTail in_tail = InTail_;
    static constexpr OutTail out_tail = OutTail_;
    static constexpr Traits traits = Traits_;
    static constexpr std::size_t in_size = kWireSize<In>;
    static constexpr std::size_t out_size = kWireSize<Out>;
    static constexpr Grants grants = grants_of<Out, OutTail_>();
    static_assert((grants.handle_at != Grants::kNone) == (traits.gives_back != Opcode{}));
};

template <class... Rows> struct RowList {
    static constexpr std::size_t size = sizeof...(Rows);
};

// Traits that several rows have.
inline constexpr EnosysRule kIgnored{abi::Errno::none, Remember::yes};
inline constexpr EnosysRule kUnsupported{abi::Errno::eopnotsupp, Remember::yes};
inline constexpr Traits kReads{.repeat = Repeat::safe};
inline constexpr Traits kForgets{.queue = QueueKind::hiprio, .reply = ReplyOwed::never, .offload = Offload::never};
inline constexpr Traits kFlushes{.blocking = Blocking::may, .enosys = kIgnored, .repeat = Repeat::safe};
constexpr Traits flushes(Storage storage) noexcept {
    Traits traits = kFlushes;
    traits.storage = storage;
    return traits;
}
inline constexpr Traits kCopies{.blocking = Blocking::may, .storage = Storage::owed};

// clang-format off
using OpTable = RowList<
    //  opcode                      trace name            since in struct         in tail             out struct        out tail
    Row<Opcode::lookup,             "LOOKUP",               0, None,              InTail::name,       EntryOut,         OutTail::none, kReads>,
    Row<Opcode::forget,             "FORGET",               0, ForgetIn,          InTail::none,       None,             OutTail::none, kForgets>,
    Row<Opcode::getattr,            "GETATTR",              0, GetattrIn,         InTail::none,       AttrOut,          OutTail::none, kReads>,
    Row<Opcode::setattr,            "SETATTR",              1, SetattrIn,         InTail::none,       AttrOut,          OutTail::none, Traits{.storage = Storage::owed}>,
    Row<Opcode::readlink,           "READLINK",             0, None,              InTail::none,       None,             OutTail::data, kReads>,
    Row<Opcode::symlink,            "SYMLINK",              1, None,              InTail::name_pair,  EntryOut,         OutTail::none, Traits{.extensions = Extensions::allowed, .makes = MakesType::symlink}>,
    Row<Opcode::mknod,              "MKNOD",                1, MknodIn,           InTail::name,       EntryOut,         OutTail::none, Traits{.extensions = Extensions::allowed, .makes = MakesType::as_asked}>,
    Row<Opcode::mkdir,              "MKDIR",                1, MkdirIn,           InTail::name,       EntryOut,         OutTail::none, Traits{.extensions = Extensions::allowed, .makes = MakesType::directory}>,
    Row<Opcode::unlink,             "UNLINK",               1, None,              InTail::name,       None,             OutTail::none>,
    Row<Opcode::rmdir,              "RMDIR",                1, None,              InTail::name,       None,             OutTail::none>,
    Row<Opcode::rename,             "RENAME",               1, RenameIn,          InTail::name_pair,  None,             OutTail::none>,
    Row<Opcode::link,               "LINK",                 1, LinkIn,            InTail::name,       EntryOut,         OutTail::none, Traits{.enosys = {abi::Errno::eperm, Remember::yes}}>,
    Row<Opcode::open,               "OPEN",                 1, OpenIn,            InTail::none,       OpenOut,          OutTail::none, Traits{.blocking = Blocking::may, .repeat = Repeat::safe, .gives_back = Opcode::release}>,
    Row<Opcode::read,               "READ",                 1, ReadIn,            InTail::none,       None,             OutTail::data, Traits{.span = FileSpan::read, .repeat = Repeat::safe}>,
    Row<Opcode::write,              "WRITE",                1, WriteIn,           InTail::data,       WriteOut,         OutTail::none, Traits{.span = FileSpan::written, .repeat = Repeat::unless_appending, .storage = Storage::owed}>,
    Row<Opcode::statfs,             "STATFS",               0, None,              InTail::none,       Kstatfs,          OutTail::none, kReads>,
    Row<Opcode::release,            "RELEASE",              1, ReleaseIn,         InTail::none,       None,             OutTail::none>,
    Row<Opcode::fsync,              "FSYNC",                1, FsyncIn,           InTail::none,       None,             OutTail::none, flushes(Storage::settled)>,
    Row<Opcode::setxattr,           "SETXATTR",             1, SetxattrIn,        InTail::name_data,  None,             OutTail::none, Traits{.compat = Compat::short_request, .enosys = kUnsupported}>,
    Row<Opcode::getxattr,           "GETXATTR",             1, GetxattrIn,        InTail::name,       GetxattrOut,      OutTail::size_or_data, Traits{.enosys = kUnsupported, .repeat = Repeat::safe}>,
    Row<Opcode::listxattr,          "LISTXATTR",            1, GetxattrIn,        InTail::none,       GetxattrOut,      OutTail::size_or_data, Traits{.enosys = kUnsupported, .repeat = Repeat::safe}>,
    Row<Opcode::removexattr,        "REMOVEXATTR",          1, None,              InTail::name,       None,             OutTail::none, Traits{.enosys = kUnsupported}>,
    Row<Opcode::flush,              "FLUSH",                1, FlushIn,           InTail::none,       None,             OutTail::none, flushes(Storage::reported)>,
    Row<Opcode::init,               "INIT",                 0, InitIn,            InTail::none,       InitOut,          OutTail::none, Traits{.compat = Compat::short_reply, .offload = Offload::never}>,
    Row<Opcode::opendir,            "OPENDIR",              1, OpenIn,            InTail::none,       OpenOut,          OutTail::none, Traits{.repeat = Repeat::safe, .gives_back = Opcode::releasedir}>,
    Row<Opcode::readdir,            "READDIR",              1, ReadIn,            InTail::none,       None,             OutTail::dirents, kReads>,
    Row<Opcode::releasedir,         "RELEASEDIR",           1, ReleaseIn,         InTail::none,       None,             OutTail::none>,
    Row<Opcode::fsyncdir,           "FSYNCDIR",             2, FsyncIn,           InTail::none,       None,             OutTail::none, kFlushes>,
    Row<Opcode::getlk,              "GETLK",                7, LkIn,              InTail::none,       LkOut,            OutTail::none, Traits{.blocking = Blocking::may, .repeat = Repeat::safe}>,
    Row<Opcode::setlk,              "SETLK",                7, LkIn,              InTail::none,       None,             OutTail::none, Traits{.blocking = Blocking::may}>,
    Row<Opcode::setlkw,             "SETLKW",               7, LkIn,              InTail::none,       None,             OutTail::none, Traits{.blocking = Blocking::for_another}>,
    Row<Opcode::access,             "ACCESS",               3, AccessIn,          InTail::none,       None,             OutTail::none, Traits{.enosys = kIgnored, .repeat = Repeat::safe}>,
    Row<Opcode::create,             "CREATE",               3, CreateIn,          InTail::name,       CreateOut,        OutTail::none, Traits{.extensions = Extensions::allowed, .makes = MakesType::regular, .gives_back = Opcode::release}>,
    Row<Opcode::interrupt,          "INTERRUPT",            7, InterruptIn,       InTail::none,       None,             OutTail::none, Traits{.queue = QueueKind::hiprio, .reply = ReplyOwed::on_error, .offload = Offload::never}>,
    Row<Opcode::bmap,               "BMAP",                 8, BmapIn,            InTail::none,       BmapOut,          OutTail::none, Traits{.enosys = kIgnored, .repeat = Repeat::safe}>,
    Row<Opcode::destroy,            "DESTROY",              8, None,              InTail::none,       None,             OutTail::none, Traits{.blocking = Blocking::may, .silence = Silence::seen, .offload = Offload::never}>,
    Row<Opcode::ioctl,              "IOCTL",               11, IoctlIn,           InTail::data,       IoctlOut,         OutTail::data, Traits{.blocking = Blocking::may, .enosys = {abi::Errno::enotty, Remember::no}}>,
    Row<Opcode::poll,               "POLL",                11, PollIn,            InTail::none,       PollOut,          OutTail::none, Traits{.blocking = Blocking::for_another, .enosys = kIgnored, .repeat = Repeat::safe}>,
    Row<Opcode::notify_reply,       "NOTIFY_REPLY",        15, NotifyRetrieveIn,  InTail::data,       None,             OutTail::none, Traits{.reply = ReplyOwed::never}>,
    Row<Opcode::batch_forget,       "BATCH_FORGET",        16, BatchForgetIn,     InTail::array,      None,             OutTail::none, kForgets>,
    Row<Opcode::fallocate,          "FALLOCATE",           19, FallocateIn,       InTail::none,       None,             OutTail::none, Traits{.blocking = Blocking::may, .span = FileSpan::written, .enosys = kUnsupported, .storage = Storage::owed}>,
    Row<Opcode::readdirplus,        "READDIRPLUS",         21, ReadIn,            InTail::none,       None,             OutTail::direntpluses, kReads>,
    Row<Opcode::rename2,            "RENAME2",             23, Rename2In,         InTail::name_pair,  None,             OutTail::none, Traits{.enosys = {abi::Errno::einval, Remember::yes}}>,
    Row<Opcode::lseek,              "LSEEK",               24, LseekIn,           InTail::none,       LseekOut,         OutTail::none, kReads>,
    Row<Opcode::copy_file_range,    "COPY_FILE_RANGE",     28, CopyFileRangeIn,   InTail::none,       WriteOut,         OutTail::none, kCopies>,
    Row<Opcode::setupmapping,       "SETUPMAPPING",        31, SetupmappingIn,    InTail::none,       None,             OutTail::none, Traits{.enosys = kUnsupported}>,
    Row<Opcode::removemapping,      "REMOVEMAPPING",       31, RemovemappingIn,   InTail::array,      None,             OutTail::none, Traits{.enosys = kUnsupported}>,
    Row<Opcode::syncfs,             "SYNCFS",              34, SyncfsIn,          InTail::none,       None,             OutTail::none, kFlushes>,
    Row<Opcode::tmpfile,            "TMPFILE",             37, CreateIn,          InTail::name,       CreateOut,        OutTail::none, Traits{.extensions = Extensions::allowed, .enosys = kUnsupported, .makes = MakesType::regular, .gives_back = Opcode::release}>,
    Row<Opcode::statx,              "STATX",               39, StatxIn,           InTail::none,       StatxOut,         OutTail::none, kReads>,
    Row<Opcode::copy_file_range_64, "COPY_FILE_RANGE_64",  45, CopyFileRangeIn,   InTail::none,       CopyFileRangeOut, OutTail::none, kCopies>>;
// clang-format on

// Says what a request and its reply consist of, where the row alone tells it: neither struct is ever short, a reply is owed, and no
// other request has to come before the answer does.
enum class Form : std::uint8_t {
    other,
    fixed, // the two fixed structs alone
    named, // the two fixed structs, and one name behind the request's
};
consteval Form form_of(InTail in_tail, OutTail out_tail, const Traits& traits) noexcept {
    const bool is_plain = out_tail == OutTail::none && traits.reply == ReplyOwed::always &&
                          traits.compat == Compat::none && traits.blocking != Blocking::for_another;
    if (is_plain && in_tail == InTail::none) return Form::fixed;
    return is_plain && in_tail == InTail::name ? Form::named : Form::other;
}

// A row as plain data, for run time.
struct OpInfo {
    Opcode opcode{};
    const char* name = nullptr;
    std::uint16_t in_size{};  // bytes of the fixed struct
    std::uint16_t out_size{}; // bytes of the fixed struct
    TailField tail_field{};   // of a request's tail of data or records
    InTail in_tail{};
    OutTail out_tail{};
    Form form{};
    std::uint8_t since{};
    std::uint8_t row{}; // its place in kOpInfo, and in every array with an element a row
    Traits traits{};
    Grants grants{};
};

template <class... Rows> constexpr auto make_op_info(RowList<Rows...>) noexcept {
    std::uint8_t row = 0;
    return std::array<OpInfo, sizeof...(Rows)>{
        OpInfo{Rows::opcode, Rows::name, Rows::in_size, Rows::out_size, tail_field<typename Rows::In, Rows::in_tail>(),
               Rows::in_tail, Rows::out_tail, form_of(Rows::in_tail, Rows::out_tail, Rows::traits), Rows::since, row++,
               Rows::traits, Rows::grants}...};
}
inline constexpr auto kOpInfo = make_op_info(OpTable{});

inline constexpr std::uint32_t kMaxOpcode = static_cast<std::uint32_t>(kOpInfo.back().opcode);

constexpr bool rows_sorted_and_unique() noexcept {
    for (std::size_t i = 1; i < kOpInfo.size(); ++i) {
        if (kOpInfo[i - 1].opcode >= kOpInfo[i].opcode) return false;
    }
    return true;
}
static_assert(rows_sorted_and_unique());

// Opcode number -> row + 1; 0 = unknown.
inline constexpr auto kOpIndex = [] {
    std::array<std::uint8_t, kMaxOpcode + 1> index{};
    for (std::size_t i = 0; i < kOpInfo.size(); ++i) {
        index[static_cast<std::uint32_t>(kOpInfo[i].opcode)] = static_cast<std::uint8_t>(i + 1);
    }
    return index;
}();

// The row of a number that came from anywhere; nullptr when there is none. Any context.
[[nodiscard]] constexpr const OpInfo* find_op(std::uint32_t number) noexcept {
    if (number > kMaxOpcode || kOpIndex[number] == 0) return nullptr;
    return &kOpInfo[kOpIndex[number] - 1u];
}

[[nodiscard]] constexpr const OpInfo& op_info(Opcode op) noexcept {
    return kOpInfo[kOpIndex[static_cast<std::uint32_t>(op)] - 1u];
}

namespace detail {
template <Opcode Op, class List> struct FindRow;
template <Opcode Op, class First, class... Rest> struct FindRow<Op, RowList<First, Rest...>> {
    using type = typename std::conditional_t<First::opcode == Op, std::type_identity<First>,
                                             FindRow<Op, RowList<Rest...>>>::type;
};
} // namespace detail

// The row of an opcode, as a type: RowOf<Opcode::read>::In and so on.
template <Opcode Op> using RowOf = typename detail::FindRow<Op, OpTable>::type;
template <Opcode Op> using InOf = typename RowOf<Op>::In;
template <Opcode Op> using OutOf = typename RowOf<Op>::Out;

// Calls f(Row{}) for every row, in order.
template <class F, class... Rows> constexpr void for_each_row(RowList<Rows...>, F&& f) { (f(Rows{}), ...); }

inline constexpr std::size_t kMaxInSize = [] {
    std::size_t most = 0;
    for (const OpInfo& op : kOpInfo) most = op.in_size > most ? op.in_size : most;
    return most;
}();
inline constexpr std::size_t kMaxOutSize = [] {
    std::size_t most = 0;
    for (const OpInfo& op : kOpInfo) most = op.out_size > most ? op.out_size : most;
    return most;
}();

} // namespace vfsproto::wire
