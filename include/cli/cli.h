/*
 * cli.h: the command line: a table of subcommands, one file each (cmd_<name>.c).
 *
 *     int main(int argc, char **argv) { return cli_main(argc, argv); }
 *
 * Invariants: data goes to stdout, errors and warnings to stderr. The exit codes below hold for
 * every subcommand, and its help lists them. An error is printed as its catalogue row (code,
 * message, cause, impact, what to do). Thread: main.
 */
#pragma once

/* 0 success; 1 a finding or a refusal; 2 critical, or wrong usage; 3 the audit has no verdict. */
enum cli_exit { CLI_FINE = 0, CLI_REFUSED = 1, CLI_CRITICAL = 2, CLI_NO_VERDICT = 3 };

int cli_main(int argc, char **argv);
