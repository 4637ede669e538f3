// SPDX-License-Identifier: BSD-2-Clause
#include "line_editor.hpp"

#include "interrupt.hpp"

#include <clocale>
#include <locale.h>

#include <histedit.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <filesystem>
#include <stdexcept>
#include <system_error>

namespace vfsproto::cli {
namespace {

constexpr int kMostLines = 1000; // of history

// Lets this thread read characters as its user's terminal writes them, as long as it lives: the rest of the program sees bytes.
class UserLocale {
public:
    UserLocale() noexcept : own_(::newlocale(LC_CTYPE_MASK, "", nullptr)) {
        if (own_ != nullptr) before_ = ::uselocale(own_);
    }
    ~UserLocale() {
        if (own_ == nullptr) return;
        ::uselocale(before_);
        ::freelocale(own_);
    }
    UserLocale(const UserLocale&) = delete;
    UserLocale& operator=(const UserLocale&) = delete;

private:
    locale_t own_;
    locale_t before_ = nullptr;
};

std::size_t common_length(const std::vector<std::string>& words) {
    std::size_t length = words.front().size();
    for (const std::string& word : words) {
        const auto [end, other] = std::mismatch(word.begin(), word.end(), words.front().begin(), words.front().end());
        length = std::min(length, static_cast<std::size_t>(end - word.begin()));
    }
    return length;
}

} // namespace

struct LineEditor::Library {
    Library(const char* a_prompt, Complete a_complete, std::string a_history)
        : prompt(a_prompt), complete(std::move(a_complete)), path(std::move(a_history)) {
        const UserLocale locale;
        editor = ::el_init("vfsproto", stdin, stdout, stderr);
        history = ::history_init();
        if (editor == nullptr || history == nullptr) throw std::runtime_error("this terminal cannot be used");
        HistEvent event{};
        ::history(history, &event, H_SETSIZE, kMostLines);
        ::history(history, &event, H_SETUNIQUE, 1);
        if (!path.empty()) ::history(history, &event, H_LOAD, path.c_str());
        ::el_set(editor, EL_CLIENTDATA, this);
        ::el_set(editor, EL_PROMPT, &Library::show_prompt);
        ::el_set(editor, EL_EDITOR, "emacs");
        ::el_set(editor, EL_SIGNAL, 0);
        ::el_set(editor, EL_HIST, &::history, history);
        // el_set() would copy the two texts and never free them.
        ::el_wset(editor, EL_ADDFN, L"complete-word", L"complete the word before the cursor", &Library::complete_word);
        ::el_set(editor, EL_BIND, "^I", "complete-word", nullptr);
        ::el_set(editor, EL_BIND, "^R", "em-inc-search-prev", nullptr);
        // A key, not a signal, while a line is typed.
        ::el_set(editor, EL_SETTY, "-d", "-isig", nullptr);
        ::el_set(editor, EL_BIND, "^C", "em-kill-line", nullptr);
    }
    ~Library() {
        HistEvent event{};
        if (history != nullptr && !path.empty()) ::history(history, &event, H_SAVE, path.c_str());
        if (editor != nullptr) ::el_end(editor);
        if (history != nullptr) ::history_end(history);
    }
    Library(const Library&) = delete;
    Library& operator=(const Library&) = delete;

    static Library& of(EditLine* editor) {
        void* self = nullptr;
        ::el_get(editor, EL_CLIENTDATA, &self);
        return *static_cast<Library*>(self);
    }
    static const char* show_prompt(EditLine* editor) { return of(editor).prompt; }
    static unsigned char complete_word(EditLine* editor, wint_t) {
        const LineInfo& line = *::el_line(editor);
        const Completions found =
            of(editor).complete({line.buffer, static_cast<std::size_t>(line.cursor - line.buffer)});
        if (found.words.empty()) return CC_REFRESH_BEEP;
        std::string common = found.words.front().substr(0, common_length(found.words));
        const bool is_finished = found.words.size() == 1 && !common.ends_with('/');
        if (is_finished) common.push_back(' ');
        if (common.size() > found.length || is_finished) {
            ::el_deletestr(editor, static_cast<int>(found.length));
            return ::el_insertstr(editor, common.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
        }
        std::fputc('\n', stdout);
        for (const std::string& word : found.words) std::fprintf(stdout, "%s\n", word.c_str());
        return CC_REDISPLAY;
    }

    const char* prompt;
    Complete complete;
    std::string path;
    EditLine* editor = nullptr;
    History* history = nullptr;
};

LineEditor::LineEditor(const char* prompt, Complete complete, std::string history)
    : library_(std::make_unique<Library>(prompt, std::move(complete), std::move(history))) {}

LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::next() {
    const UserLocale locale;
    const LocalCall may_wait;
    int length = 0;
    ::el_resize(library_->editor);
    const char* const text = ::el_gets(library_->editor, &length);
    if (text == nullptr || length <= 0) return std::nullopt;
    std::string line(text, static_cast<std::size_t>(length));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    HistEvent event{};
    if (line.find_first_not_of(" \t") != std::string::npos) ::history(library_->history, &event, H_ENTER, line.c_str());
    return line;
}

std::string history_path() {
    const char* const state = std::getenv("XDG_STATE_HOME");
    const char* const home = std::getenv("HOME");
    std::filesystem::path directory;
    if (state != nullptr && state[0] == '/') {
        directory = state;
    } else if (home != nullptr && home[0] == '/') {
        directory = std::filesystem::path(home) / ".local/state";
    } else {
        return {};
    }
    directory /= "vfsproto";
    std::error_code failed;
    std::filesystem::create_directories(directory, failed);
    return failed ? std::string() : (directory / "history").string();
}

} // namespace vfsproto::cli
