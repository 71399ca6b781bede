/*
 * cli_man.h: the manual page and the shell completion, generated from the table of subcommands; the
 * completion also from the manifests of the commands, for `nightdesk do`.
 *
 *     cli_man(&out), cli_complete_bash(manifests, &out), cli_complete_zsh(manifests, &out);
 *
 * Thread: main.
 */
#pragma once

#include "base/buf.h"

struct manifest_list;

void cli_man(struct buf *out); /* nightdesk(1) */
/* A file for bash-completion's folder. */
void cli_complete_bash(const struct manifest_list *list, struct buf *out);
/* _nightdesk, for zsh's $fpath. */
void cli_complete_zsh(const struct manifest_list *list, struct buf *out);
