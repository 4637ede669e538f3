# SPDX-License-Identifier: BSD-2-Clause
# The program writes its manual page and what shells complete its lines by.
set(pages)

# vfsproto_page(FOLDER FILE WORDS): what `vfsproto WORDS` prints goes to share/FOLDER/FILE.
function(vfsproto_page folder file words)
  set(page ${CMAKE_CURRENT_BINARY_DIR}/pages/${file})
  add_custom_command(OUTPUT ${page} DEPENDS vfsproto_cli VERBATIM
    COMMAND ${CMAKE_COMMAND} -E make_directory ${CMAKE_CURRENT_BINARY_DIR}/pages
    COMMAND sh -c "\"$<TARGET_FILE:vfsproto_cli>\" ${words} >\"${page}\"")
  install(FILES ${page} DESTINATION ${CMAKE_INSTALL_DATAROOTDIR}/${folder})
  set(pages ${pages} ${page} PARENT_SCOPE)
endfunction()

vfsproto_page(man/man1 vfsproto.1 manual)
vfsproto_page(bash-completion/completions vfsproto "completion bash")
vfsproto_page(zsh/vendor-completions _vfsproto "completion zsh")
vfsproto_page(fish/vendor_completions.d vfsproto.fish "completion fish")
add_custom_target(vfsproto_pages ALL DEPENDS ${pages})
