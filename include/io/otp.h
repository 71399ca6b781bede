/*
 * otp.h: one-time codes of an authenticator app: TOTP by RFC 6238 with SHA-1, six digits and steps
 * of 30 s (liboath).
 *
 *     int64_t step = 0;
 *     if (otp_match("JBSWY3DPEHPK3PXP", "492039", now_us, &step, err) == 0)
 *         ... accept it, unless a code of this step or a later one was accepted before
 *
 * Invariants: the comparison takes constant time; a copy of the secret is wiped before it returns.
 * Thread: any.
 */
#pragma once

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

#define OTP_DIGITS 6

/* Compares with the codes of the current step and of one before and after it. *ret_step is the
 * number of the step of the code. secret: base 32, spaces are ignored. Errors: OTP_SECRET,
 * OTP_WRONG. */
int otp_match(const char *secret, const char *code, int64_t now_us, int64_t *ret_step,
              struct err *err);
/* A new secret of 20 bytes: 32 characters and a NUL. */
int otp_new_secret(char *ret, size_t size, struct err *err);
/* The code of a step, for tests and for the set-up of an app: digits and a NUL. */
int otp_code(const char *secret, int64_t step, char ret_code[OTP_DIGITS + 1], struct err *err);
