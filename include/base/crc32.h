/*
 * crc32.h: the checksum CRC-32 of ISO 3309, as PNG and zlib have it. It finds damage, not
 * tampering.
 *
 *     crc32_of(STR_LIT("123456789"))                        // 0xcbf43926
 *
 * Thread: any.
 */
#pragma once

#include "base/str.h"

#include <stdint.h>

uint32_t crc32_of(struct str bytes);
