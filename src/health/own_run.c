#include "own_run.h"

#include "access/access.h"
#include "base/check.h"
#include "io/json_out.h"

int own_run_submit(const struct own_run *run, struct err *err)
{
    AUTO_BUF struct buf args = BUF_INIT(256);
    struct principal who;
    int rc = access_identify(run->access, CHANNEL_SCHEDULE, 0, &who);
    ASSERT(rc == 0);
    (void)str_copy(str_c(run->user), who.name, sizeof(who.name));
    struct json_out out = JSON_OUT(&args);
    json_out_object(&out, NULL);
    if (run->item[0] != '\0') {
        json_out_text(&out, run->param, run->item);
    }
    json_out_end(&out);
    return runner_submit(run->runner,
                         &(struct invocation){.line = run->command,
                                              .args_json = args.data,
                                              .who = &who,
                                              .on_reply = run->on_reply,
                                              .userdata = run->userdata},
                         err);
}
