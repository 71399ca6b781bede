#include "base/check.h"

#include <unistd.h>

/* Only write(2) and abort(3): an assertion may fail inside a signal handler or with any lock held.
 * Standard error is connected to the journal, so this is also the log line. */
static void write_text(const char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, text, len);
        if (n <= 0) {
            return;
        }
        text += n;
        len -= (size_t)n;
    }
}

_Noreturn static void stop(const char *first, const char *what, const char *expression,
                           const char *file, int line, const char *function)
{
    char digits[12];
    size_t at = sizeof(digits) - 1;
    digits[at] = '\0';
    unsigned rest = line < 0 ? 0 : (unsigned)line;
    do {
        digits[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);

    write_text(first);
    write_text(file);
    write_text(":");
    write_text(digits + at);
    write_text(" in ");
    write_text(function);
    write_text(what);
    write_text(expression);
    write_text("\n");
    abort();
}

void check_failed(const char *expression, const char *file, int line, const char *function)
{
    stop("BUG ", ": assertion failed: ", expression, file, line, function);
}

void check_no_memory(const char *expression, const char *file, int line, const char *function)
{
    stop("OUT OF MEMORY ", ": ", expression, file, line, function);
}
