/*
 * cli_man.h: the manual page and the shell completion, generated from the table of subcommands.
 *
 *     cli_man(&out), cli_complete_bash(&out), cli_complete_zsh(&out);
 *
 * Thread: main.
 */
#pragma once

#include "base/buf.h"

void cli_man(struct buf *out);           /* nightdesk(1) */
void cli_complete_bash(struct buf *out); /* a file for bash-completion's folder */
void cli_complete_zsh(struct buf *out);  /* _nightdesk, for zsh's $fpath */
