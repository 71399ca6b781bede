/*
 * file_tree.h: a temporary folder of files for one test, such as a made-up /proc, deleted on exit.
 *
 *     cmocka_unit_test_setup_teardown(test, file_tree_make, file_tree_remove)   // *state: its path
 *     file_tree_put(*state, "7/stat", "7 (demo) S …");                          // makes folders
 *
 * Thread: the test's.
 */
#pragma once

int file_tree_make(void **state);
int file_tree_remove(void **state);
void file_tree_put(const char *root, const char *name, const char *text);
