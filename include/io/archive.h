/*
 * archive.h: unpacks archives of others into a folder, and packs a folder (libarchive, loaded at
 * its first use).
 *
 *     rc = archive_unpack(&(struct archive_unpack){.path = "a.tar.gz", .into = "releases/1.4.2",
 *                         .limits = ARCHIVE_LIMITS, .stop = &stop}, &size, err);
 *     rc = archive_pack("build/out", "prediction-1.4.2.tar.gz", &size, err);
 *
 * Reads tar compressed with gzip, xz, zstd or bzip2, and zip. A tar without compression is refused,
 * because nothing shows that it is complete.
 * Always true: an archive cannot write, create or link anything outside the new folder. Refused,
 * with the entry's name: absolute paths, `..`, links that lead out, hard links to anything but a
 * file of the same archive, devices, pipes, sockets, setuid and setgid bits, a name given twice, a
 * name that is not UTF-8 or has control characters, an encrypted entry. A path never leads through
 * a link. Files get mode 0644 or 0755, folders 0755, and the owner is this process. archive_unpack
 * is all or nothing: it fills a hidden folder beside `into` (ARCHIVE_TEMPORARY), syncs it and
 * renames it. After a failure nothing is left; after a crash a hidden folder may be, which the
 * caller removes. archive_pack gives the same bytes for the same files: names in order, no times,
 * no owners. Thread: any; both wait for the disk, so a helper calls them.
 */
#pragma once

#include "base/err.h"

#include <stdatomic.h>
#include <stdint.h>

#define ARCHIVE_TEMPORARY ".unpack-" /* the hidden folder's name begins with it */

struct archive_limits {
    int64_t entries;
    int64_t bytes; /* of all files, unpacked */
    int64_t ratio; /* unpacked bytes for each byte of the archive; not counted below 1 MiB */
};
#define ARCHIVE_LIMITS \
    ((struct archive_limits){.entries = 50000, .bytes = (int64_t)4 << 30, .ratio = 200})

struct archive_unpack {
    const char *path;
    const char *into; /* does not exist; its folder does */
    struct archive_limits limits;
    const atomic_bool *stop; /* another thread sets it to cancel: ERR_ARCHIVE_STOPPED; or NULL */
};

struct archive_size {
    int64_t entries;
    int64_t bytes;
};

/* ERR_ARCHIVE_DAMAGED, _REFUSED, _LIMIT; ERR_LIBRARY; FILE_…. */
int archive_unpack(const struct archive_unpack *what, struct archive_size *ret, struct err *err);
/* Writes a .tar.gz, also all or nothing. ERR_ARCHIVE_REFUSED for what archive_unpack would refuse.
 */
int archive_pack(const char *folder, const char *path, struct archive_size *ret, struct err *err);
