#include "io/qr.h"
#include "unit/unit.h"

#include <string.h>

#define URI \
    "otpauth://totp/nightdesk:alice?secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&issuer=nightdesk"

/* The three squares of seven modules by which readers find a code. */
static void assert_finder(const struct qr *qr, int top, int left)
{
    for (int i = 0; i < 7; i++) {
        assert_true(qr->dark[top][left + i] && qr->dark[top + 6][left + i]);
        assert_true(qr->dark[top + i][left] && qr->dark[top + i][left + 6]);
    }
    assert_false(qr->dark[top + 1][left + 1]);
    assert_true(qr->dark[top + 3][left + 3]);
}

static void a_code_has_its_finders(void **state)
{
    (void)state;
    struct qr qr;
    assert_int_equal(qr_encode(str_c(URI), &qr, NULL), 0);
    assert_true(qr.size >= 21 && qr.size <= QR_SIZE_MAX && (qr.size - 17) % 4 == 0);
    assert_finder(&qr, 0, 0);
    assert_finder(&qr, 0, qr.size - 7);
    assert_finder(&qr, qr.size - 7, 0);
    struct qr other;
    assert_int_equal(qr_encode(str_c(URI "x"), &other, NULL), 0);
    assert_memory_not_equal(&qr, &other, sizeof(qr));
    qr_wipe(&qr);
    assert_int_equal(qr.size, 0);
}

static void a_text_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    char text[QR_TEXT_MAX + 2];
    struct qr qr;
    memset(text, 'A', sizeof(text));
    assert_int_equal(qr_encode(str_n(text, QR_TEXT_MAX), &qr, NULL), 0);
    assert_int_equal(qr_encode(str_n(text, QR_TEXT_MAX + 1), &qr, NULL), -ERR_QR_TEXT);
    assert_int_equal(qr_encode(str_c(""), &qr, NULL), -ERR_QR_TEXT);
}

/* Dark on light, with four light modules around. */
static void lines_and_picture_have_a_quiet_zone(void **state)
{
    (void)state;
    struct qr qr;
    AUTO_BUF struct buf lines = BUF_INIT(QR_LINES_MAX);
    AUTO_BUF struct buf png = BUF_INIT(QR_PNG_MAX);
    assert_int_equal(qr_encode(str_c(URI), &qr, NULL), 0);
    qr_add_text(&qr, &lines);
    struct str rest = buf_str(&lines), line;
    int count = 0;
    while (str_split(&rest, '\n', &line) && line.len > 0) {
        assert_true(str_starts(line, rest.len == 0 ? "▀▀▀▀" : "████")); /* an odd number of rows */
        count++;
    }
    assert_int_equal(count, (qr.size + 8 + 1) / 2);
    qr_add_png(&qr, &png);
    assert_memory_equal(png.data, "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16);
    int pixels = ((unsigned char)png.data[18] << 8) + (unsigned char)png.data[19];
    assert_int_equal(pixels, (qr.size + 8) * 8);
    assert_memory_equal(png.data + png.len - 8, "IEND\xae\x42\x60\x82", 8);
    /* The first row after the zlib header, the head of its block and the filter byte is light. */
    const char *row = png.data + 8 + 25 + 8 + 2 + 5 + 1;
    for (int i = 0; i < pixels / 8; i++) {
        assert_int_equal((unsigned char)row[i], 0xff);
    }
}

UNIT_GROUP(qr, cmocka_unit_test(a_code_has_its_finders),
           cmocka_unit_test(a_text_that_does_not_fit_is_refused),
           cmocka_unit_test(lines_and_picture_have_a_quiet_zone))
