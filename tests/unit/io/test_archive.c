/* The archives are made byte by byte: a tar in a gzip of stored blocks, so that they may hold what
 * no tool would pack. */
#include "base/buf.h"
#include "io/archive.h"
#include "io/file.h"
#include "io/sign.h"
#include "scratch.h"
#include "unit/unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TAR_MAX ((size_t)4 << 20)

/* ---------------------------------------------------------------- making archives */

struct member {
    const char *name;
    char type; /* '0' file, '1' hard link, '2' link, '3' device, '5' folder, '6' pipe */
    const char *link;
    const char *text;
    int mode; /* 0: 0644 */
};

static void add_octal(char *at, int digits, unsigned value)
{
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + (value & 7));
        value >>= 3;
    }
}

static void add_member(struct buf *tar, const struct member *m)
{
    char head[512] = {0};
    size_t size = m->text == NULL ? 0 : strlen(m->text);
    memcpy(head, m->name, strlen(m->name));
    add_octal(head + 100, 7, m->mode == 0 ? 0644U : (unsigned)m->mode);
    memcpy(head + 108, "0000000\0000000000", 16);
    add_octal(head + 124, 11, (unsigned)size);
    memcpy(head + 136, "00000000000", 12);
    memset(head + 148, ' ', 8);
    head[156] = m->type;
    if (m->link != NULL) {
        memcpy(head + 157, m->link, strlen(m->link));
    }
    memcpy(head + 257, "ustar\00000", 8);
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof(head); i++) {
        sum += (unsigned char)head[i];
    }
    add_octal(head + 148, 6, sum);
    head[154] = '\0';
    buf_add(tar, head, sizeof(head));
    buf_add(tar, m->text == NULL ? "" : m->text, size);
    while (tar->len % 512 != 0) {
        buf_add_char(tar, '\0');
    }
}

static uint32_t crc32_of(const char *bytes, size_t size)
{
    uint32_t crc = 0xffffffffU;
    for (size_t i = 0; i < size; i++) {
        crc ^= (unsigned char)bytes[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
        }
    }
    return ~crc;
}

static void add_le(struct buf *out, uint32_t value, int bytes)
{
    for (int i = 0; i < bytes; i++) {
        buf_add_char(out, (char)(value >> (8 * i) & 0xff));
    }
}

static void add_gzip(struct buf *out, const struct buf *plain)
{
    buf_add(out, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
    for (size_t at = 0; at < plain->len;) {
        size_t size = plain->len - at < 65535 ? plain->len - at : 65535;
        buf_add_char(out, at + size == plain->len ? 1 : 0); /* a stored block */
        add_le(out, (uint32_t)size, 2);
        add_le(out, ~(uint32_t)size, 2);
        buf_add(out, plain->data + at, size);
        at += size;
    }
    add_le(out, crc32_of(plain->data, plain->len), 4);
    add_le(out, (uint32_t)plain->len, 4);
}

static void make_tar(struct buf *out, const struct member *members, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        add_member(out, &members[i]);
    }
    for (int i = 0; i < 1024; i++) {
        buf_add_char(out, '\0');
    }
}

static void write_targz(const char *path, const struct member *members, size_t count)
{
    AUTO_BUF struct buf tar = BUF_INIT(TAR_MAX), gz = BUF_INIT(TAR_MAX);
    make_tar(&tar, members, count);
    add_gzip(&gz, &tar);
    assert_false(buf_failed(&gz));
    assert_int_equal(file_write(path, buf_str(&gz), 0644, NULL), 0);
}

/* A zip of one stored file. */
static void write_zip(const char *path, const char *name, const char *text, uint32_t crc)
{
    AUTO_BUF struct buf zip = BUF_INIT(4096);
    for (int central = 0; central < 2; central++) {
        size_t start = zip.len;
        buf_add(&zip, central ? "PK\x01\x02\x14\x03" : "PK\x03\x04", central ? 6 : 4);
        buf_add(&zip, "\x14\0\0\0\0\0\0\0\x21\0", 10);
        add_le(&zip, crc, 4);
        add_le(&zip, (uint32_t)strlen(text), 4);
        add_le(&zip, (uint32_t)strlen(text), 4);
        add_le(&zip, (uint32_t)strlen(name), 2);
        add_le(&zip, 0, 2);
        if (central) {
            add_le(&zip, 0, 4);
            add_le(&zip, 0, 2);
            add_le(&zip, 0100644U << 16, 4);
            add_le(&zip, 0, 4);
        }
        buf_add_c(&zip, name);
        buf_add_c(&zip, central ? "" : text);
        if (central) {
            size_t size = zip.len - start;
            buf_add(&zip, "PK\x05\x06\0\0\0\0\1\0\1\0", 12);
            add_le(&zip, (uint32_t)size, 4);
            add_le(&zip, (uint32_t)start, 4);
            add_le(&zip, 0, 2);
        }
    }
    assert_int_equal(file_write(path, buf_str(&zip), 0644, NULL), 0);
}

/* ---------------------------------------------------------------- helpers */

struct place {
    struct scratch s;
    char archive[160], into[160], outside[160];
};

static struct place place_make(void)
{
    struct place p = {.s = scratch_make()};
    (void)snprintf(p.archive, sizeof(p.archive), "%s/a.tar.gz", p.s.folder);
    (void)snprintf(p.into, sizeof(p.into), "%s/releases/1", p.s.folder);
    (void)snprintf(p.outside, sizeof(p.outside), "%s/releases", p.s.folder);
    assert_int_equal(mkdir(p.outside, 0755), 0);
    return p;
}

static void place_remove(struct place *p)
{
    assert_int_equal(file_remove_tree(p->s.folder, NULL), 0);
}
#define AUTO_PLACE AUTO(place_remove)

static int unpack(const struct place *p, struct archive_limits limits, struct err *err)
{
    struct archive_size size;
    return archive_unpack(
        &(struct archive_unpack){.path = p->archive, .into = p->into, .limits = limits}, &size,
        err);
}

static int count_entries(const char *folder)
{
    DIR *dir = opendir(folder);
    int count = 0;
    assert_non_null(dir);
    while (readdir(dir) != NULL) {
        count++;
    }
    (void)closedir(dir);
    return count - 2;
}

/* Refused with this error and text, and nothing is left: neither the folder nor the hidden one. */
static void assert_refused(const struct place *p, enum err_id id, const char *why)
{
    struct err err = {0};
    assert_int_equal(unpack(p, ARCHIVE_LIMITS, &err), -(int)id);
    assert_has(err.context, why);
    assert_int_equal(count_entries(p->outside), 0);
    assert_int_equal(count_entries(p->s.folder), 2); /* the archive and releases */
}

static void assert_text(const struct place *p, const char *name, const char *text)
{
    char path[320];
    AUTO_BUF struct buf found = BUF_INIT(4096);
    (void)snprintf(path, sizeof(path), "%s/%s", p->into, name);
    assert_int_equal(file_read(path, &found, NULL), 0);
    assert_string_equal(found.data, text);
}

static mode_t mode_of(const struct place *p, const char *name)
{
    char path[320];
    struct stat st;
    (void)snprintf(path, sizeof(path), "%s/%s", p->into, name);
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

/* ---------------------------------------------------------------- tests */

static void plain_files_folders_and_links_are_unpacked(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    const struct member members[] = {
        {.name = "./", .type = '5', .mode = 0777},
        {.name = "./bin/", .type = '5', .mode = 0700},
        {.name = "./bin/run", .type = '0', .text = "#!/bin/sh\n", .mode = 0775},
        {.name = "lib/deep/\xc3\xbc.txt", .type = '0', .text = "umlaut", .mode = 0666},
        {.name = "lib/up", .type = '2', .link = "../bin/run"},
        {.name = "again", .type = '1', .link = "bin/run"},
    };
    write_targz(p.archive, members, COUNT_OF(members));
    struct err err = {0};
    mode_t before = umask(0077); /* as under systemd; it must not matter */
    assert_int_equal(unpack(&p, ARCHIVE_LIMITS, &err), 0);
    (void)umask(before);
    assert_text(&p, "bin/run", "#!/bin/sh\n");
    assert_text(&p, "lib/deep/\xc3\xbc.txt", "umlaut");
    assert_text(&p, "lib/up", "#!/bin/sh\n");
    assert_text(&p, "again", "#!/bin/sh\n");
    assert_int_equal(mode_of(&p, "bin/run"), 0755);
    assert_int_equal(mode_of(&p, "lib/deep/\xc3\xbc.txt"), 0644);
    assert_int_equal(mode_of(&p, "bin"), 0755);
    assert_int_equal(mode_of(&p, "lib/deep"), 0755);
    assert_int_equal(mode_of(&p, "."), 0755);
    assert_int_equal(count_entries(p.outside), 1); /* no hidden folder is left */
}

static void hostile_entries_are_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        struct member members[3];
        size_t count;
        const char *why;
    } cases[] = {
        {{{.name = "/etc/x", .type = '0', .text = "x"}}, 1, "/etc/x: the path is absolute"},
        {{{.name = "a/../../x", .type = '0', .text = "x"}}, 1, "a/../../x: the path has .."},
        {{{.name = "..", .type = '5'}}, 1, "..: the path has .."},
        {{{.name = "l", .type = '2', .link = "/etc"}}, 1, "l: the link leads to an absolute path"},
        {{{.name = "l", .type = '2', .link = "../x"}}, 1, "l: the link leads out of the folder"},
        {{{.name = "d/l", .type = '2', .link = "../../x"}}, 1, "leads out of the folder"},
        /* A chain: s is the folder itself, so that s/.. would be the folder above it. */
        {{{.name = "d/s", .type = '2', .link = ".."},
          {.name = "d/e/t", .type = '2', .link = "../s/.."}},
         2,
         "d/e/t: the link leads out of the folder"},
        {{{.name = "l", .type = '2', .link = "d"}, {.name = "l/x", .type = '0', .text = "x"}},
         2,
         "l/x: the path leads through a link or a file"},
        {{{.name = "d/a", .type = '0', .text = "1"},
          {.name = "l", .type = '2', .link = "d/a"},
          {.name = "l", .type = '0', .text = "2"}},
         3,
         "l: the name is given twice"},
        {{{.name = "h", .type = '1', .link = "/etc/passwd"}}, 1, "h: the path is absolute"},
        {{{.name = "h", .type = '1', .link = "../x"}}, 1, "h: the path has .."},
        {{{.name = "h", .type = '1', .link = "none"}}, 1, "h: a hard link to what is no file"},
        {{{.name = "l", .type = '2', .link = "d"}, {.name = "h", .type = '1', .link = "l"}},
         2,
         "h: a hard link to what is no file"},
        {{{.name = "dev", .type = '3'}}, 1, "dev: a device"},
        {{{.name = "pipe", .type = '6'}}, 1, "pipe: a named pipe"},
        {{{.name = "su", .type = '0', .text = "x", .mode = 04755}}, 1, "su: it has a setuid"},
        {{{.name = "sg", .type = '0', .text = "x", .mode = 02755}}, 1, "sg: it has a setuid"},
        {{{.name = "a\nb", .type = '0', .text = "x"}}, 1, "a?b: the name has a control"},
        {{{.name = "a\xe2\x80\xae", .type = '0', .text = "x"}}, 1, "a?: the name has a control"},
        {{{.name = "\xff\xfe", .type = '0', .text = "x"}}, 1, "??: the name is not UTF-8"},
        {{{.name = "a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s/t/u/v/w/x/y/z/0/1/2/3/4/5/6",
           .type = '0',
           .text = "x"}},
         1,
         "more than 32 folders"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        AUTO_PLACE struct place p = place_make();
        write_targz(p.archive, cases[i].members, cases[i].count);
        assert_refused(&p, ERR_ARCHIVE_REFUSED, cases[i].why);
    }
}

static void an_archive_cut_anywhere_is_damaged(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    const struct member members[] = {{.name = "a", .type = '0', .text = "first"},
                                     {.name = "b", .type = '0', .text = "second"}};
    AUTO_BUF struct buf whole = BUF_INIT(TAR_MAX);
    write_targz(p.archive, members, COUNT_OF(members));
    assert_int_equal(file_read(p.archive, &whole, NULL), 0);
    for (size_t len = 0; len < whole.len; len += len + 40 < whole.len ? 37 : 1) {
        struct err err = {0};
        assert_int_equal(file_write(p.archive, str_n(whole.data, len), 0644, NULL), 0);
        assert_int_equal(unpack(&p, ARCHIVE_LIMITS, &err), -ERR_ARCHIVE_DAMAGED);
        assert_int_equal(count_entries(p.outside), 0);
    }
}

static void a_tar_without_compression_is_refused(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    AUTO_BUF struct buf tar = BUF_INIT(TAR_MAX);
    make_tar(&tar, &(struct member){.name = "a", .type = '0', .text = "x"}, 1);
    assert_int_equal(file_write(p.archive, buf_str(&tar), 0644, NULL), 0);
    assert_refused(&p, ERR_ARCHIVE_REFUSED, "without compression");
}

static void a_zip_is_unpacked_and_a_wrong_checksum_noticed(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    AUTO_BUF struct buf whole = BUF_INIT(4096);
    write_zip(p.archive, "x/a.txt", "hello", crc32_of("hello", 5) + 1);
    assert_refused(&p, ERR_ARCHIVE_DAMAGED, "");
    write_zip(p.archive, "../a.txt", "hello", crc32_of("hello", 5));
    assert_refused(&p, ERR_ARCHIVE_REFUSED, "../a.txt: the path has ..");
    write_zip(p.archive, "x/a.txt", "hello", crc32_of("hello", 5));
    assert_int_equal(file_read(p.archive, &whole, NULL), 0);
    assert_int_equal(file_write(p.archive, str_n(whole.data, whole.len - 30), 0644, NULL), 0);
    assert_refused(&p, ERR_ARCHIVE_DAMAGED, "");
    assert_int_equal(file_write(p.archive, buf_str(&whole), 0644, NULL), 0);
    struct err err = {0};
    assert_int_equal(unpack(&p, ARCHIVE_LIMITS, &err), 0);
    assert_text(&p, "x/a.txt", "hello");
}

static void limits_hold(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    const struct member members[] = {{.name = "a", .type = '0', .text = "12345"},
                                     {.name = "b", .type = '0', .text = "12345"}};
    struct archive_limits limits = ARCHIVE_LIMITS;
    struct err err = {0};
    write_targz(p.archive, members, COUNT_OF(members));
    limits.entries = 1;
    assert_int_equal(unpack(&p, limits, &err), -ERR_ARCHIVE_LIMIT);
    assert_has(err.context, "b: more than 1 entries");
    limits = ARCHIVE_LIMITS;
    limits.bytes = 9;
    assert_int_equal(unpack(&p, limits, &err), -ERR_ARCHIVE_LIMIT);
    assert_has(err.context, "b: more than 9 bytes");
    limits.bytes = 10;
    assert_int_equal(unpack(&p, limits, &err), 0);
}

/* Eight megabytes of zeros are a few kilobytes. */
static void a_bomb_is_refused(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    char folder[200], file[240];
    struct archive_size size;
    (void)snprintf(folder, sizeof(folder), "%s/src", p.s.folder);
    (void)snprintf(file, sizeof(file), "%s/zeros", folder);
    assert_int_equal(mkdir(folder, 0755), 0);
    assert_int_equal(file_write(file, str_c("0"), 0644, NULL), 0);
    assert_int_equal(truncate(file, 8 << 20), 0);
    assert_int_equal(archive_pack(folder, p.archive, &size, NULL), 0);
    assert_int_equal(size.bytes, 8 << 20);
    assert_int_equal(file_remove_tree(folder, NULL), 0);
    assert_refused(&p, ERR_ARCHIVE_LIMIT, "zeros: more than 200 times");
}

static void a_cancelled_unpacking_leaves_nothing(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    const atomic_bool stop = true;
    write_targz(p.archive, &(struct member){.name = "a", .type = '0', .text = "x"}, 1);
    assert_int_equal(archive_unpack(&(struct archive_unpack){.path = p.archive,
                                                             .into = p.into,
                                                             .limits = ARCHIVE_LIMITS,
                                                             .stop = &stop},
                                    NULL, NULL),
                     -ERR_ARCHIVE_STOPPED);
    assert_int_equal(count_entries(p.outside), 0);
}

static void what_is_there_is_not_replaced(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    char file[200];
    (void)snprintf(file, sizeof(file), "%s/kept", p.into);
    assert_int_equal(mkdir(p.into, 0755), 0);
    assert_int_equal(file_write(file, str_c("kept"), 0644, NULL), 0);
    write_targz(p.archive, &(struct member){.name = "a", .type = '0', .text = "x"}, 1);
    assert_true(unpack(&p, ARCHIVE_LIMITS, NULL) < 0);
    assert_text(&p, "kept", "kept");
    assert_int_equal(count_entries(p.outside), 1);
}

/* The same files give the same bytes, whatever their times and the order of their creation. */
static void packing_is_deterministic_and_can_be_unpacked(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    static const char *const names[2][3] = {{"b", "\xc3\xa4", ".hidden"},
                                            {".hidden", "b", "\xc3\xa4"}};
    char hashes[2][SIGN_HASH_SIZE];
    for (int round = 0; round < 2; round++) {
        char folder[200], file[260];
        int64_t bytes;
        struct archive_size size;
        (void)snprintf(folder, sizeof(folder), "%s/src", p.s.folder);
        assert_int_equal(mkdir(folder, 0700), 0);
        for (int i = 0; i < 3; i++) {
            (void)snprintf(file, sizeof(file), "%s/%s", folder, names[round][i]);
            assert_int_equal(
                file_write(file, str_c(names[round][i]), round == 0 ? 0600 : 0644, NULL), 0);
            const struct timespec times[2] = {{.tv_sec = round * 1000}, {.tv_sec = round * 1000}};
            assert_int_equal(utimensat(AT_FDCWD, file, times, 0), 0);
        }
        (void)snprintf(file, sizeof(file), "%s/link", folder);
        assert_int_equal(symlink("b", file), 0);
        assert_int_equal(archive_pack(folder, p.archive, &size, NULL), 0);
        assert_int_equal(size.entries, 4);
        assert_int_equal(sign_hash_file(p.archive, hashes[round], &bytes, NULL), 0);
        assert_int_equal(file_remove_tree(folder, NULL), 0);
    }
    assert_string_equal(hashes[0], hashes[1]);
    struct err err = {0};
    assert_int_equal(unpack(&p, ARCHIVE_LIMITS, &err), 0);
    assert_text(&p, "\xc3\xa4", "\xc3\xa4");
    assert_text(&p, ".hidden", ".hidden");
    assert_text(&p, "link", "b");
}

static void packing_refuses_what_unpacking_would(void **state)
{
    (void)state;
    AUTO_PLACE struct place p = place_make();
    struct err err = {0};
    char link[200];
    (void)snprintf(link, sizeof(link), "%s/out", p.outside);
    assert_int_equal(symlink("/etc", link), 0);
    assert_int_equal(archive_pack(p.outside, p.archive, NULL, &err), -ERR_ARCHIVE_REFUSED);
    assert_has(err.context, "out: the link leads to an absolute path");
    assert_int_equal(count_entries(p.s.folder), 1);
}

static void the_hash_is_that_of_sha256sum(void **state)
{
    (void)state;
    AUTO_SCRATCH struct scratch s = scratch_make();
    const char *path = scratch_path(&s, "abc");
    char hex[SIGN_HASH_SIZE];
    int64_t bytes;
    assert_int_equal(file_write(path, str_c("abc"), 0644, NULL), 0);
    assert_int_equal(sign_hash_file(path, hex, &bytes, NULL), 0);
    assert_int_equal(bytes, 3);
    assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

UNIT_GROUP(archive, cmocka_unit_test(plain_files_folders_and_links_are_unpacked),
           cmocka_unit_test(hostile_entries_are_refused_by_name),
           cmocka_unit_test(an_archive_cut_anywhere_is_damaged),
           cmocka_unit_test(a_tar_without_compression_is_refused),
           cmocka_unit_test(a_zip_is_unpacked_and_a_wrong_checksum_noticed),
           cmocka_unit_test(limits_hold), cmocka_unit_test(a_bomb_is_refused),
           cmocka_unit_test(a_cancelled_unpacking_leaves_nothing),
           cmocka_unit_test(what_is_there_is_not_replaced),
           cmocka_unit_test(packing_is_deterministic_and_can_be_unpacked),
           cmocka_unit_test(packing_refuses_what_unpacking_would),
           cmocka_unit_test(the_hash_is_that_of_sha256sum))
