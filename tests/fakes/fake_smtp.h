/*
 * fake_smtp.h: a strict fake of an SMTP server (RFC 5321) on 127.0.0.1, without TLS, for tests.
 *
 *     struct fake_smtp *smtp = NULL;
 *     assert_int_equal(fake_smtp_start(&smtp), 0);
 *     fake_smtp_behave(smtp, FAKE_SMTP_BUSY);
 *     ... let the program send to fake_smtp_port(smtp) ...
 *     assert_string_equal(fake_smtp_violations(smtp), "");
 *     fake_smtp_stop(smtp);
 *
 * It checks the order of the commands, that lines end with CR LF and have at most 998 bytes, and
 * that a mail has a Date, a From, a Message-ID and an empty line. Thread: all functions on the
 * test's thread; a thread of its own serves one connection at a time.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum fake_smtp_way {
    FAKE_SMTP_ACCEPT,
    FAKE_SMTP_SILENT,      /* accepts the connection and says nothing */
    FAKE_SMTP_BUSY,        /* 451 for the recipient */
    FAKE_SMTP_REFUSE,      /* 550 for the recipient */
    FAKE_SMTP_CUT,         /* closes after the mail, without an answer */
    FAKE_SMTP_SILENT_DATA, /* no answer after the mail */
    FAKE_SMTP_SILENT_QUIT  /* accepts the mail, does not answer QUIT */
};

struct fake_smtp;

int fake_smtp_start(struct fake_smtp **ret);
void fake_smtp_stop(struct fake_smtp *smtp); /* accepts NULL */
uint16_t fake_smtp_port(const struct fake_smtp *smtp);
void fake_smtp_behave(struct fake_smtp *smtp, enum fake_smtp_way way);
/* The mails that were sent as a whole, accepted or not. */
size_t fake_smtp_count(struct fake_smtp *smtp);
/* Header and body, valid until the fake is stopped. */
const char *fake_smtp_mail(struct fake_smtp *smtp, size_t index);
const char *fake_smtp_violations(struct fake_smtp *smtp);
