/*
 * form.h: the fields of a multipart/form-data body, for fakes whose clients send files.
 *
 *     struct str chat = form_value(request, "chat_id");
 *
 * Always true: the views point into the request's body; a field that is absent is the empty view.
 * Thread: that of the request.
 */
#pragma once

#include "base/str.h"
#include "io/web.h"

struct str form_value(const struct web_request *request, const char *name);
struct str form_filename(const struct web_request *request, const char *name);
