#include "base/check.h"
#include "base/clock.h"
#include "builtin.h"
#include "io/json_out.h"
#include "io/qr.h"
#include "io/secret.h"

#include <string.h>

#define SHOWN_US (2 * USEC_PER_MIN) /* then Telegram deletes what was shown */

static int show_state(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    struct reply *r = action_reply(call);
    struct access_factor f;
    int rc = access_factor_get(builtin->access, action_who(call), &f, err);
    if (rc < 0) {
        return rc;
    }
    const char *state = f.is_configured ? "set up in the configuration"
                        : f.is_active   ? "set up"
                        : f.is_begun    ? "begun, not confirmed"
                                        : "not set up";
    reply_title(r, f.is_active ? TONE_GOOD : TONE_PLAIN, "Second factor: %s", state);
    if (f.is_active && !f.is_configured) {
        reply_para(r, "{} unused recovery codes. {} makes new ones, {} removes it all.",
                   cell_count(f.recovery_left), cell_code("/otp codes"), cell_code("/otp off"));
    } else if (f.is_begun) {
        reply_para(r, "{} and the six digits of the app confirms it; {} begins again.",
                   cell_code("/otp confirm"), cell_code("/otp new"));
    } else if (!f.is_active) {
        reply_para(r, "{} begins: you need an authenticator app.", cell_code("/otp new"));
    }
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "state", f.is_active ? "active" : f.is_begun ? "begun" : "none");
    json_out_bool(&data, "configured", f.is_configured);
    json_out_i64(&data, "recovery_codes", f.recovery_left);
    return ACTION_DONE;
}

/* The picture for a phone, half blocks for a terminal. */
static int add_qr(struct action_call *call, const char *uri, struct err *err)
{
    struct reply *r = action_reply(call);
    struct qr qr;
    int rc = qr_encode(str_c(uri), &qr, err);
    if (rc < 0) {
        return rc;
    }
    if (action_who(call)->channel == CHANNEL_TELEGRAM) {
        AUTO_BUF struct buf png = BUF_INIT(QR_PNG_MAX);
        qr_add_png(&qr, &png);
        reply_conceal_png(r, buf_str(&png));
        secret_wipe(png.data, png.len);
    } else {
        AUTO_BUF struct buf lines = BUF_INIT(QR_LINES_MAX);
        qr_add_text(&qr, &lines);
        reply_pre(r, buf_str(&lines));
        secret_wipe(lines.data, lines.len);
    }
    qr_wipe(&qr);
    return 0;
}

static int begin(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const struct principal *who = action_who(call);
    struct reply *r = action_reply(call);
    char secret[FACTOR_SECRET_SIZE];
    AUTO_BUF struct buf uri = BUF_INIT(QR_TEXT_MAX);
    if (who->channel == CHANNEL_TELEGRAM && action_chat_id(call) != who->id) {
        return err_set(err, ERR_FACTOR_CHAT, "%s", who->name);
    }
    int rc = access_factor_begin(builtin->access, who, secret, err);
    if (rc < 0) {
        return rc;
    }
    buf_add_c(&uri, "otpauth://totp/nightdesk:");
    for (const char *c = who->name; *c != '\0';
         c++) { /* a name of the configuration may have any */
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '_' || *c == '-' || *c == '.';
        buf_addf(&uri, plain ? "%c" : "%%%02X", (unsigned char)*c);
    }
    buf_addf(&uri, "?secret=%s&issuer=nightdesk", secret);
    reply_conceal(r, SHOWN_US);
    reply_title(r, TONE_PLAIN, "Second factor: scan the code with your app");
    rc = add_qr(call, uri.data, err);
    reply_para(r, "Or type the key: {}", cell_code(secret));
    reply_line(r,
               "Then send /otp confirm and the six digits that the app shows. Until then nothing "
               "asks for it. This message is deleted after two minutes.");
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_text(&data, "secret", secret);
    json_out_text(&data, "uri", uri.data);
    secret_wipe(secret, sizeof(secret));
    secret_wipe(uri.data, uri.len);
    return rc < 0 ? rc : ACTION_DONE;
}

static void show_codes(struct reply *r, char codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1])
{
    AUTO_BUF struct buf lines = BUF_INIT(RECOVERY_CODES * (RECOVERY_CODE_CHARS + 2));
    struct json_out data = JSON_OUT_TREE(reply_data(r));
    json_out_array(&data, "recovery_codes");
    for (int i = 0; i < RECOVERY_CODES; i++) {
        AUTO_BUF struct buf code = BUF_INIT(RECOVERY_CODE_CHARS + 2);
        buf_addf(&code, "%.5s-%s", codes[i], codes[i] + 5);
        buf_addf(&lines, "%s\n", code.data);
        json_out_text(&data, NULL, code.data);
    }
    json_out_end(&data);
    reply_line(r,
               "Recovery codes, each for one use in place of the six digits. They are shown only "
               "now; keep them on paper.");
    reply_pre(r, buf_str(&lines));
    reply_conceal(r, SHOWN_US);
    secret_wipe(lines.data, lines.len);
}

static int confirm(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    const char *code = action_text(call, "code");
    char codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1];
    if (code == NULL) {
        return err_set(err, ERR_COMMAND_ARG_MISSING, "/otp confirm and the six digits of the app");
    }
    if (action_who(call)->channel == CHANNEL_TELEGRAM &&
        action_chat_id(call) != action_who(call)->id) {
        return err_set(err, ERR_FACTOR_CHAT, "%s", action_who(call)->name);
    }
    int rc = access_factor_confirm(builtin->access, action_who(call), code, codes, err);
    if (rc < 0) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "Second factor: set up");
    show_codes(action_reply(call), codes);
    secret_wipe(codes, sizeof(codes));
    return ACTION_DONE;
}

static int make_codes(struct action_call *call, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    char codes[RECOVERY_CODES][RECOVERY_CODE_CHARS + 1];
    int rc = access_factor_codes(builtin->access, action_who(call), codes, err);
    if (rc < 0) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "Second factor: new recovery codes");
    show_codes(action_reply(call), codes);
    secret_wipe(codes, sizeof(codes));
    return ACTION_DONE;
}

static int remove_factor(struct action_call *call, const char *name, struct err *err)
{
    const struct builtin *builtin = action_userdata(call);
    int rc = access_factor_remove(builtin->access, action_who(call), name, err);
    if (rc < 0) {
        return rc;
    }
    reply_title(action_reply(call), TONE_GOOD, "Second factor of %s: removed", name);
    return ACTION_DONE;
}

static int run_otp(struct action_call *call, struct err *err)
{
    const char *what = action_text(call, "what");
    const struct arg_value *user = action_value(call, "user");
    if (strcmp(what, "status") == 0) {
        return show_state(call, err);
    }
    if (strcmp(what, "new") == 0) {
        return begin(call, err);
    }
    if (strcmp(what, "confirm") == 0) {
        return confirm(call, err);
    }
    if (strcmp(what, "codes") == 0) {
        return make_codes(call, err);
    }
    if (strcmp(what, "off") == 0) {
        return remove_factor(call, action_who(call)->name, err);
    }
    return user == NULL ? err_set(err, ERR_COMMAND_ARG_MISSING, "/otp reset user=NAME")
                        : remove_factor(call, user->user.name, err);
}

const struct action action_otp_rows[] = {
    {.name = "access.otp",
     .summary = "Your second factor: set it up, recovery codes, remove it",
     .data = "state configured recovery_codes uri secret",
     .effect = ACTION_CHANGES,
     .lowest = ROLE_READ_ONLY,
     .params = ACTION_PARAMS(
         {.name = "what",
          .type = PARAM_CHOICE,
          .choices = "status|new|confirm|codes|off|reset",
          .default_text = "status",
          .help = "what to do; reset is for an admin, with user="},
         {.name = "code",
          .type = PARAM_TEXT,
          .secret = true,
          .help = "for confirm: the six digits of the app"},
         {.name = "user", .type = PARAM_USER, .help = "for reset: whose second factor"}),
     .run = run_otp},
    {0},
};
