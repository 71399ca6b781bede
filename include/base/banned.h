/*
 * banned.h: force-included into every file. Functions that overflow, race or truncate silently do
 * not compile; the comment beside each names its replacement.
 * Thread: compile time only.
 */
#pragma once

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* With clang, glibc's fortified versions of these two are macros, which cannot be poisoned. */
#undef sprintf
#undef vsprintf

#pragma GCC poison gets strcpy strcat strncpy strncat sprintf vsprintf /* struct buf, str_copy */
#pragma GCC poison strtok                                              /* str_split, str_word */
#pragma GCC poison atoi atol atoll atof                                /* str_to_i64, dec_parse */
#pragma GCC poison gmtime localtime ctime asctime                      /* gmtime_r */
#pragma GCC poison rand srand random srandom                           /* rng.h, io/secret.h */
