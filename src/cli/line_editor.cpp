// SPDX-License-Identifier: BSD-2-Clause
#include "line_editor.hpp"

#include "escape.hpp"
#include "history_file.hpp"
#include "interrupt.hpp"
#include "split_line.hpp"
#include "terminal_modes.hpp"

#include <histedit.h>
#include <locale.h>

#include <cstdio>
#include <cstdlib>
#include <cwchar>
#include <stdexcept>

namespace vfsproto::cli {
namespace {

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

struct EndEditor {
    void operator()(EditLine* editor) const noexcept { ::el_end(editor); }
};
struct EndHistory {
    void operator()(History* history) const noexcept { ::history_end(history); }
};

// Counts the characters of a text in the user's locale, as the editor does; nothing where it is no text there.
std::optional<int> characters(const std::string& text) {
    const std::size_t count = std::mbstowcs(nullptr, text.c_str(), 0);
    return count == static_cast<std::size_t>(-1) ? std::nullopt : std::optional(static_cast<int>(count));
}

} // namespace

struct LineEditor::Library {
    explicit Library(Complete a_complete) : complete(std::move(a_complete)) {
        const UserLocale locale;
        keep_terminal_modes();
        lines.reset(::history_init());
        editor.reset(::el_init("vfsproto", stdin, stdout, stderr));
        if (editor == nullptr || lines == nullptr) throw std::runtime_error("this terminal cannot be used");
        HistEvent event{};
        ::history(lines.get(), &event, H_SETSIZE, static_cast<int>(HistoryFile::kMostLines));
        ::history(lines.get(), &event, H_SETUNIQUE, 1);
        for (const std::string& line : file.load()) ::history(lines.get(), &event, H_ENTER, line.c_str());
        EditLine* const el = editor.get();
        ::el_set(el, EL_CLIENTDATA, this);
        ::el_set(el, EL_PROMPT, &Library::show_prompt);
        ::el_set(el, EL_EDITOR, "emacs");
        ::el_set(el, EL_SIGNAL, 0);
        ::el_set(el, EL_HIST, &::history, lines.get());
        // el_set() would copy the two texts and never free them.
        ::el_wset(el, EL_ADDFN, L"complete-word", L"complete the word before the cursor", &Library::complete_word);
        ::el_set(el, EL_BIND, "^I", "complete-word", nullptr);
        ::el_set(el, EL_BIND, "^R", "em-inc-search-prev", nullptr);
        // Ctrl-C is a key, not a signal, while a line is typed.
        ::el_set(el, EL_SETTY, "-d", "-isig", nullptr);
        ::el_set(el, EL_BIND, "^C", "em-kill-line", nullptr);
    }

    static Library& of(EditLine* editor) {
        void* self = nullptr;
        ::el_get(editor, EL_CLIENTDATA, &self);
        return *static_cast<Library*>(self);
    }
    static const char* show_prompt(EditLine* editor) { return of(editor).prompt.c_str(); }
    static unsigned char complete_word(EditLine* editor, wint_t) {
        const LineInfo& line = *::el_line(editor);
        const std::string before(line.buffer, line.cursor);
        const Completions found = of(editor).look_for_words(before);
        if (forget_ctrl_c()) {
            ::el_push(editor, "\x03"); // the key does what it does at any other time
            return CC_REFRESH;
        }
        if (found.count() == 0) return CC_REFRESH_BEEP;
        if (!found.is_longer() && !found.is_finished()) return show(found);
        const std::string word = quote_word(found.common()) + (found.is_finished() ? " " : "");
        const auto typed = characters(before.substr(before.size() - found.length()));
        if (!typed || !characters(word)) return CC_REFRESH_BEEP; // a name that cannot be typed
        ::el_deletestr(editor, *typed);
        return ::el_insertstr(editor, word.c_str()) == 0 ? CC_REFRESH : CC_REFRESH_BEEP;
    }
    // The device may not answer: then Ctrl-C is a signal again, and it is told what is waited for.
    Completions look_for_words(std::string_view before) {
        ::el_set(editor.get(), EL_PREP_TERM, 0);
        may_wait.reset();
        Completions found = complete(before);
        may_wait.emplace();
        ::el_set(editor.get(), EL_PREP_TERM, 1);
        return found;
    }
    static unsigned char show(const Completions& found) {
        std::fputc('\n', stdout);
        const auto words = found.shown();
        for (const std::string& word : words) std::fprintf(stdout, "%s\n", printable(word).c_str());
        if (found.count() > words.size()) std::fprintf(stdout, "… %zu more\n", found.count() - words.size());
        return CC_REDISPLAY;
    }

    std::string prompt;
    Complete complete;
    HistoryFile file;
    std::unique_ptr<History, EndHistory> lines; // outlives the editor
    std::unique_ptr<EditLine, EndEditor> editor;
    std::optional<LocalCall> may_wait; // for keys
};

LineEditor::LineEditor(Complete complete) : library_(std::make_unique<Library>(std::move(complete))) {}

LineEditor::~LineEditor() = default;

std::optional<std::string> LineEditor::next(const std::string& prompt) {
    const UserLocale locale;
    Library& library = *library_;
    library.prompt = prompt;
    int length = 0;
    ::el_resize(library.editor.get());
    library.may_wait.emplace();
    const char* const text = ::el_gets(library.editor.get(), &length);
    library.may_wait.reset();
    if (text == nullptr || length <= 0) return std::nullopt;
    std::string line(text, static_cast<std::size_t>(length));
    while (line.ends_with('\n') || line.ends_with('\r')) line.pop_back();
    if (line.find_first_not_of(" \t") == std::string::npos) return line;
    HistEvent event{};
    ::history(library.lines.get(), &event, H_ENTER, line.c_str());
    library.file.append(line);
    return line;
}

} // namespace vfsproto::cli
