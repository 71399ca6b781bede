/*
 * The strict fake of the Bot API as a process, for tests in shell:
 *
 *     fake_chat PORT_FILE SENT_FILE [LAST_UPDATE] < COMMANDS
 *
 * Writes its port to PORT_FILE, and each message that it accepts to SENT_FILE: "chat buttons", then
 * its text. It reads commands, one per line:
 *
 *     send FROM TEXT      a person writes to the bot
 *     press FROM DATA     a person presses a button with this callback_data
 *     fail METHOD TIMES   the next TIMES calls get a 502
 *
 * Update ids continue after LAST_UPDATE, as for a bot that is already known. Exits at the end of
 * its input; with 1 if a request violated the Bot API.
 */
#include "fakes/fake_telegram.h"

#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct fake_telegram *fake;

static void run_line(char *line)
{
    char *rest = NULL;
    const char *word = strtok_r(line, " ", &rest);
    const char *whom = strtok_r(NULL, " ", &rest);
    if (word == NULL || whom == NULL) {
        return;
    }
    int64_t from = strtoll(whom, NULL, 10);
    if (strcmp(word, "send") == 0) {
        (void)fake_telegram_user_sends(fake,
                                       &(struct fake_telegram_message){.from = from, .text = rest});
    } else if (strcmp(word, "press") == 0) {
        fake_telegram_press_data(fake, from, from, rest);
    } else if (strcmp(word, "fail") == 0) {
        fake_telegram_fail(fake,
                           &(struct fake_telegram_failure){.method = whom,
                                                           .times = (int)strtol(rest, NULL, 10),
                                                           .fault = FAKE_TELEGRAM_BODY,
                                                           .status = 502,
                                                           .body = "Bad gateway"});
    }
}

/* Writes the messages since the last call. */
static void write_new_messages(FILE *out)
{
    static size_t written;
    for (; written < fake_telegram_sent_count(fake); written++) {
        struct fake_telegram_sent sent;
        fake_telegram_get_sent(fake, written, &sent);
        if (sent.accepted) {
            (void)fprintf(out, "%lld %s %s\n%s\n", (long long)sent.chat, sent.method, sent.buttons,
                          sent.text);
        }
    }
    (void)fflush(out);
}

int main(int argc, char **argv)
{
    FILE *port = argc >= 3 ? fopen(argv[1], "we") : NULL;
    FILE *sent = argc >= 3 ? fopen(argv[2], "we") : NULL;
    if (port == NULL || sent == NULL || fake_telegram_start(&fake) < 0) {
        (void)fprintf(stderr, "usage: fake_chat PORT_FILE SENT_FILE [LAST_UPDATE] < COMMANDS\n");
        return 2;
    }
    int64_t last = argc > 3 ? strtoll(argv[3], NULL, 10) : 0;
    while (last > 0 && fake_telegram_push(fake, "{}") < last) {}
    (void)fprintf(port, "%u\n", fake_telegram_port(fake));
    (void)fclose(port);
    char line[4096];
    size_t len = 0;
    bool open = true;
    while (open) {
        struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
        write_new_messages(sent);
        if (poll(&in, 1, 50) <= 0) {
            continue;
        }
        open = read(STDIN_FILENO, line + len, 1) == 1 && len + 2 < sizeof(line);
        if (open && line[len++] == '\n') {
            line[len - 1] = '\0';
            run_line(line);
            len = 0;
        }
    }
    write_new_messages(sent);
    (void)fclose(sent);
    const char *wrong = fake_telegram_violations(fake);
    (void)fputs(wrong, stderr);
    int code = wrong[0] == '\0' ? 0 : 1;
    fake_telegram_stop(fake);
    return code;
}
