/*
 * json_page.h: compares docs/json.md with what is written.
 *
 *     json_page_check("position", object);      // one object, or several with different members
 *     json_page_done("position");
 *
 * json_page_check fails the test if a member has no row in the entity's table, or a row of another
 * type; json_page_done, if a row's member has not been seen since the last json_page_done. Members
 * of an object or of an array of objects have rows of their own ("disk.state", "fills[].qty"),
 * unless the object itself has one.
 * Thread: main thread of the test binary.
 */
#pragma once

#include "io/json.h"

void json_page_check(const char *entity, const struct json_object *object);
void json_page_done(const char *entity);
