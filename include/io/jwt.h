/*
 * jwt.h: JSON Web Tokens (RFC 7519) that prove a key to a server: JWS in compact form (RFC 7515),
 * signed with ES256 or EdDSA.
 *
 *     rc = signing_key_new(pem, SIGNING_KEY_PEM, "secret key of coinbase", &key, err);
 *     jwt_add(key, "organizations/1/apiKeys/2", str_c("{\"iss\":\"cdp\",…}"), &out);
 *
 * The token is as good as a password until it expires: a caller writes it to a header or a message
 * only, and chooses a short life (the claims nbf and exp).
 * Thread: any after secret_init.
 */
#pragma once

#include "io/signing_key.h"

/* Appends a token with the header {"alg", "kid", "nonce": 16 random bytes as hex, "typ": "JWT"}.
 * kid: at most 512 bytes; claims: the text of a JSON object. */
void jwt_add(const struct signing_key *key, const char *kid, struct str claims, struct buf *out);
/* The same with a header of the caller's, whose "alg" belongs to the key. */
void jwt_add_with_header(const struct signing_key *key, struct str header, struct str payload,
                         struct buf *out);
