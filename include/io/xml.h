/*
 * xml.h: reads an XML document from front to back (libexpat), with limits.
 *
 *     const struct xml_reader reader = {.open = on_open, .text = on_text, .close = on_close};
 *     if ((rc = xml_read(body, &reader, self, err)) < 0) return rc;
 *
 * Always true: entities of a document are refused, since they can grow without limit or name files;
 * nothing outside of the document is read. Deeper than XML_DEPTH_MAX is refused. Texts are valid
 * UTF-8, whatever the encoding of the document: UTF-8, UTF-16, ISO-8859-1, US-ASCII and
 * windows-1252 are known. A name has its namespace before it: "http://www.w3.org/2005/Atom|entry";
 * one without a namespace is the name alone.
 * The library is loaded at the first call (XML_LIBRARY if it is missing). Thread: any.
 */
#pragma once

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

#define XML_DEPTH_MAX 64

/* Each returns false to end the reading, which is then a success. */
struct xml_reader {
    bool (*open)(const char *name, void *userdata);
    bool (*close)(const char *name, void *userdata);
    bool (*text)(struct str text, void *userdata); /* a piece: a text may come in several */
};

/* ERR_XML_SYNTAX with the line; ERR_XML_LIBRARY. */
int xml_read(struct str document, const struct xml_reader *reader, void *userdata, struct err *err);
