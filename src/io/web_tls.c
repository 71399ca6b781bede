#include "web_tls.h"

#include "base/auto.h"
#include "base/check.h"
#include "library.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

/* ---------------------------------------------------------------- the library */

/* clang-format off */
#define FUNCTIONS(X) \
    X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_options) \
    X(SSL_CTX_use_certificate_chain_file) X(SSL_CTX_use_PrivateKey_file) \
    X(SSL_CTX_check_private_key) X(SSL_CTX_set_default_passwd_cb) X(TLS_server_method) \
    X(SSL_new) X(SSL_free) X(SSL_set_fd) X(SSL_accept) X(SSL_read) X(SSL_write) X(SSL_shutdown) \
    X(SSL_pending) X(SSL_get_error) X(ERR_get_error) X(ERR_clear_error) \
    X(ERR_reason_error_string)
/* clang-format on */

static struct {
#define X(name) __typeof__(name) *name;
    FUNCTIONS(X)
#undef X
} ssl;

static const struct library_function functions[] = {
#define X(name) {#name, &ssl.name},
    FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libssl.so.3"},
                                 .package = "libssl3",
                                 .error = ERR_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

/* ---------------------------------------------------------------- certificates */

struct web_tls {
    SSL_CTX *context;
};

struct web_tls_conn {
    SSL *session;
    bool wants_write;
    bool broken; /* nothing more can be sent or read */
};

/* A key with a passphrase is refused: there is nobody to ask. */
static int no_passphrase(char *buf, int size, int writing, void *userdata)
{
    (void)buf;
    (void)size;
    (void)writing;
    (void)userdata;
    return 0;
}

static int refuse_file(const char *path, struct err *err)
{
    const char *reason = ssl.ERR_reason_error_string(ssl.ERR_get_error());
    return err_set(err, ERR_WEB_TLS, "%.150s: %s", path,
                   reason == NULL ? "it cannot be read" : reason);
}

static int load(SSL_CTX *context, const char *cert_path, const char *key_path, struct err *err)
{
    ssl.SSL_CTX_set_default_passwd_cb(context, no_passphrase);
    (void)ssl.SSL_CTX_ctrl(context, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
    (void)ssl.SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                               SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)ssl.SSL_CTX_ctrl(context, SSL_CTRL_MODE,
                           SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                               SSL_MODE_RELEASE_BUFFERS,
                           NULL);
    ssl.ERR_clear_error();
    /* The key first: after the certificate, one that does not belong to it would be refused as if
     * its file were bad. */
    if (ssl.SSL_CTX_use_PrivateKey_file(context, key_path, SSL_FILETYPE_PEM) != 1) {
        return refuse_file(key_path, err);
    }
    if (ssl.SSL_CTX_use_certificate_chain_file(context, cert_path) != 1) {
        return refuse_file(cert_path, err);
    }
    if (ssl.SSL_CTX_check_private_key(context) != 1) {
        return err_set(err, ERR_WEB_TLS, "%.100s does not belong to %.100s", key_path, cert_path);
    }
    return 0;
}

int web_tls_new(const char *cert_path, const char *key_path, struct web_tls **ret, struct err *err)
{
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    SSL_CTX *context = ssl.SSL_CTX_new(ssl.TLS_server_method());
    NEED_MEMORY(context != NULL);
    rc = load(context, cert_path, key_path, err);
    if (rc < 0) {
        ssl.SSL_CTX_free(context);
        return rc;
    }
    struct web_tls *tls = calloc(1, sizeof(*tls));
    NEED_MEMORY(tls != NULL);
    tls->context = context;
    *ret = tls;
    return 0;
}

void web_tls_free(struct web_tls *tls)
{
    if (tls != NULL) {
        ssl.SSL_CTX_free(tls->context); /* it counts its sessions */
        free(tls);
    }
}

/* ---------------------------------------------------------------- connections */

struct web_tls_conn *web_tls_accept(struct web_tls *tls, int fd)
{
    struct web_tls_conn *conn = calloc(1, sizeof(*conn));
    NEED_MEMORY(conn != NULL);
    conn->session = ssl.SSL_new(tls->context);
    NEED_MEMORY(conn->session != NULL && ssl.SSL_set_fd(conn->session, fd) == 1);
    return conn;
}

void web_tls_conn_free(struct web_tls_conn *conn)
{
    if (conn != NULL) {
        ssl.SSL_free(conn->session);
        free(conn);
    }
}

bool web_tls_wants_write(const struct web_tls_conn *conn)
{
    return conn->wants_write;
}

/* After a call that returned rc <= 0: 0 and EAGAIN, 0 at the end, or -1 and another errno. */
static ssize_t outcome(struct web_tls_conn *conn, int rc)
{
    int reason = ssl.SSL_get_error(conn->session, rc);
    conn->wants_write = reason == SSL_ERROR_WANT_WRITE;
    if (reason == SSL_ERROR_WANT_READ || reason == SSL_ERROR_WANT_WRITE) {
        errno = EAGAIN;
        return -1;
    }
    conn->broken = reason != SSL_ERROR_ZERO_RETURN;
    errno = EPROTO;
    return conn->broken ? -1 : 0;
}

int web_tls_handshake(struct web_tls_conn *conn)
{
    ssl.ERR_clear_error();
    int rc = ssl.SSL_accept(conn->session);
    return rc == 1 ? 1 : outcome(conn, rc) < 0 && errno == EAGAIN ? 0 : -1;
}

static int at_most(size_t size)
{
    return size > INT32_MAX ? INT32_MAX : (int)size;
}

ssize_t web_tls_read(struct web_tls_conn *conn, void *dst, size_t size)
{
    ssl.ERR_clear_error();
    int rc = ssl.SSL_read(conn->session, dst, at_most(size));
    return rc > 0 ? rc : outcome(conn, rc);
}

/* As much as fits one record, rather than a record for each part. */
ssize_t web_tls_send(struct web_tls_conn *conn, const struct iovec *parts, size_t count)
{
    AUTO_UNCLEARED char record[SSL3_RT_MAX_PLAIN_LENGTH];
    size_t len = 0;
    for (size_t i = 0; i < count; i++) {
        size_t room = sizeof(record) - len;
        size_t size = parts[i].iov_len < room ? parts[i].iov_len : room;
        memcpy(record + len, parts[i].iov_base, size);
        len += size;
    }
    if (len == 0) {
        return 0;
    }
    ssl.ERR_clear_error();
    int rc = ssl.SSL_write(conn->session, record, (int)len);
    return rc > 0 ? rc : outcome(conn, rc);
}

bool web_tls_pending(const struct web_tls_conn *conn)
{
    return ssl.SSL_pending(conn->session) > 0;
}

void web_tls_end(struct web_tls_conn *conn)
{
    if (!conn->broken) {
        ssl.ERR_clear_error();
        (void)ssl.SSL_shutdown(conn->session);
    }
}
