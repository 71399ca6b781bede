#include "io/xml.h"

#include "base/check.h"
#include "library.h"

#include <expat.h>
#include <string.h>
#include <strings.h>

#define FUNCTIONS(X)             \
    X(ParserCreateNS)            \
    X(ParserFree)                \
    X(SetUserData)               \
    X(SetElementHandler)         \
    X(SetCharacterDataHandler)   \
    X(SetEntityDeclHandler)      \
    X(SetUnknownEncodingHandler) \
    X(StopParser)                \
    X(Parse)                     \
    X(GetErrorCode)              \
    X(GetCurrentLineNumber)      \
    X(ErrorString)

static struct {
#define X(name) __typeof__(XML_##name) *name;
    FUNCTIONS(X)
#undef X
} xml;

static const struct library_function functions[] = {
#define X(name) {"XML_" #name, &xml.name},
    FUNCTIONS(X)
#undef X
};

static struct library library = {.names = {"libexpat.so.1"},
                                 .package = "libexpat1",
                                 .error = ERR_XML_LIBRARY,
                                 .functions = functions,
                                 .function_count = COUNT_OF(functions)};

struct reading {
    const struct xml_reader *reader;
    void *userdata;
    XML_Parser parser;
    int depth;
    bool is_over;        /* the reader has enough */
    const char *refused; /* why we ended it; NULL: we did not */
};

static void end(struct reading *r, const char *refused)
{
    r->is_over = refused == NULL;
    r->refused = refused;
    (void)xml.StopParser(r->parser, XML_FALSE);
}

static void XMLCALL on_open(void *userdata, const XML_Char *name, const XML_Char **attributes)
{
    struct reading *r = userdata;
    (void)attributes;
    if (++r->depth > XML_DEPTH_MAX) {
        end(r, "elements are nested too deeply");
    } else if (!r->is_over && !r->reader->open(name, r->userdata)) {
        end(r, NULL);
    }
}

static void XMLCALL on_close(void *userdata, const XML_Char *name)
{
    struct reading *r = userdata;
    r->depth--;
    /* The end of an empty element comes even after the reading was ended at its start. */
    if (!r->is_over && r->refused == NULL && !r->reader->close(name, r->userdata)) {
        end(r, NULL);
    }
}

static void XMLCALL on_text(void *userdata, const XML_Char *text, int size)
{
    struct reading *r = userdata;
    if (!r->reader->text(str_n(text, (size_t)size), r->userdata)) {
        end(r, NULL);
    }
}

static void XMLCALL on_entity(void *userdata, const XML_Char *name, int is_parameter,
                              const XML_Char *value, int value_size, const XML_Char *base,
                              const XML_Char *system_id, const XML_Char *public_id,
                              const XML_Char *notation)
{
    (void)name, (void)is_parameter, (void)value, (void)value_size, (void)base;
    (void)system_id, (void)public_id, (void)notation;
    end(userdata, "it declares entities");
}

/* Of 0x80 to 0x9f in windows-1252; the rest is that of ISO-8859-1. -1: no character. */
static const int windows_1252[32] = {
    0x20ac, -1,     0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6, 0x2030, 0x0160,
    0x2039, 0x0152, -1,     0x017d, -1,     -1,     0x2018, 0x2019, 0x201c, 0x201d, 0x2022,
    0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, -1,     0x017e, 0x0178,
};

static int XMLCALL on_encoding(void *userdata, const XML_Char *name, XML_Encoding *ret)
{
    (void)userdata;
    if (strcasecmp(name, "windows-1252") != 0) {
        return XML_STATUS_ERROR;
    }
    for (int i = 0; i < 256; i++) {
        ret->map[i] = i >= 0x80 && i <= 0x9f ? windows_1252[i - 0x80] : i;
    }
    ret->data = NULL;
    ret->convert = NULL;
    ret->release = NULL;
    return XML_STATUS_OK;
}

int xml_read(struct str document, const struct xml_reader *reader, void *userdata, struct err *err)
{
    int rc = library_load(&library, err);
    if (rc < 0) {
        return rc;
    }
    struct reading r = {.reader = reader, .userdata = userdata};
    r.parser = xml.ParserCreateNS(NULL, '|');
    NEED_MEMORY(r.parser != NULL);
    xml.SetUserData(r.parser, &r);
    xml.SetElementHandler(r.parser, on_open, on_close);
    xml.SetCharacterDataHandler(r.parser, on_text);
    xml.SetEntityDeclHandler(r.parser, on_entity);
    xml.SetUnknownEncodingHandler(r.parser, on_encoding, NULL);
    ASSERT(document.len <= INT32_MAX);
    bool whole = xml.Parse(r.parser, document.ptr, (int)document.len, 1) == XML_STATUS_OK;
    if (!whole && !r.is_over) {
        enum XML_Error code = xml.GetErrorCode(r.parser);
        NEED_MEMORY(code != XML_ERROR_NO_MEMORY);
        rc = err_set(err, ERR_XML_SYNTAX, "line %lu: %s",
                     (unsigned long)xml.GetCurrentLineNumber(r.parser),
                     r.refused != NULL ? r.refused : xml.ErrorString(code));
    }
    xml.ParserFree(r.parser);
    return rc;
}
