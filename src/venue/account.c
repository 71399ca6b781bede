#include "venue/account.h"

#include "account_tables.h"
#include "base/check.h"

#include <string.h>

/* The longest path, body and headers of a request: a thousand times what an order needs. */
#define REQUEST_MAX ((size_t)64 << 10)

/* Each venue is a line here, ended by NULL. */
static const struct account_api *const accounts[] = {NULL};

const struct account_api *account_api_at(int index)
{
    return accounts[index];
}

const struct account_api *account_api_find(const char *name)
{
    for (int i = 0; accounts[i] != NULL; i++) {
        if (strcmp(accounts[i]->name, name) == 0) {
            return accounts[i];
        }
    }
    return NULL;
}

void account_request_init(struct account_request *request)
{
    *request = (struct account_request){0};
    buf_init(&request->path, REQUEST_MAX);
    buf_init(&request->body, REQUEST_MAX);
    buf_init(&request->headers, REQUEST_MAX);
}

void account_request_release(struct account_request *request)
{
    buf_release(&request->path);
    buf_release(&request->body);
    buf_release(&request->headers);
}

void account_request_clear(struct account_request *request)
{
    request->method = ACCOUNT_GET;
    request->weight = 0;
    request->order_weight = 0;
    request->content_type = NULL;
    buf_clear(&request->path);
    buf_clear(&request->body);
    buf_clear(&request->headers);
}
