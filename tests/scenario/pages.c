#include "fakes/http_pieces.h"
#include "scenario.h"

/* A path that the scenario does not have is 404. */
static void on_request(struct http_pieces_request *request, void *userdata)
{
    const struct yaml_node *pages = userdata;
    for (size_t i = 0; i < yaml_len(pages); i++) {
        if (str_equal(http_pieces_path(request), yaml_text(yaml_key(pages, i)))) {
            http_pieces_begin(request, 200, "text/plain", NULL);
            (void)http_pieces_add(request, yaml_text(yaml_value(pages, i)));
            http_pieces_end(request);
            return;
        }
    }
    http_pieces_begin(request, 404, "text/plain", NULL);
    http_pieces_end(request);
}

bool pages_start(struct scene *s)
{
    const struct yaml_node *pages = yaml_get(s->root, "pages");
    return pages == NULL ||
           http_pieces_start(on_request, (void *)(uintptr_t)pages, &s->pages) >= 0 ||
           scene_fail(s, "the server of pages cannot listen");
}
