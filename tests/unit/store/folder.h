/*
 * folder.h: a temporary state folder for each test, deleted on exit.
 * Thread: main thread of the test binary.
 */
#pragma once

/* cmocka set-up and tear-down: *state is the folder's path. */
int folder_make(void **state);
int folder_remove(void **state);
