/*
 * api_internal.h: shared by the files of this module.
 *
 * Two threads use this module: a listener's own (handle, state: reads only) and ops (command,
 * start, stop). A listener passes struct api_job pointers to ops through its ring. Thread: named at
 * each declaration.
 */
#pragma once

#include "access/access.h"
#include "api/api.h"
#include "api_store.h"
#include "base/buf.h"
#include "base/ring.h"
#include "command/manifest.h"
#include "config/config.h"
#include "health/health.h"
#include "io/json.h"
#include "io/loop.h"
#include "io/web.h"
#include "model/shared.h"
#include "model/snapshot.h"

#include <limits.h>
#include <stdatomic.h>

#define API_JOBS_MAX    32
#define API_WATCHES_MAX 16 /* readers of /api/v1/events, per listener */
#define API_EVENTS_MAX  64 /* kept for a reader that comes late */
#define API_AGE_STEP_MS 10 /* so that a state is rendered at most a hundred times a second */
#define API_BODY_MAX    ((size_t)64 * 1024)
#define API_LINE_MAX    ((size_t)16 * 1024)
#define API_ANSWER_MAX  ((size_t)512 * 1024)

/* Who may read at the socket; the ops thread publishes it. */
struct api_readers {
    int64_t own_uid; /* as root, always admitted */
    int uid_count;
    struct {
        int64_t uid;
        enum role role;
    } uids[CONFIG_LOCALS_MAX];
};

/* All that an answer of /api/v1/state depends on. */
struct api_state_key {
    uint64_t version;
    int64_t age_us; /* in steps of API_AGE_STEP_MS; -1: never published */
    bool stale;
    int64_t away_us;
    const char *away_source;
    uint64_t absences;
    int64_t telegram_since_us;
    int telegram;
};

struct api_headers;
struct json_out;
struct api_metrics;
struct ops_store;
struct route;
struct shelf;

struct listener {
    struct api *api;
    enum channel channel; /* CHANNEL_SOCKET or CHANNEL_HTTP */
    struct web *web;
    struct shared_reader *reader; /* used only by this listener's thread */
    struct mailbox *readers;      /* struct api_readers: ops -> this listener's thread */
    /* struct api_admission, the same way; NULL: there are no tokens */
    _Atomic(struct mailbox *) admission;
    /* Used only by this listener's thread: what it knows of the request that it handles. */
    int64_t caller; /* a uid, or the number of a token; -1: unknown */
    bool from_read;
    bool from_known;
    struct address from;
    struct api_limits *limits;         /* the same thread's; NULL until it is needed */
    _Atomic(struct api_tally *) tally; /* see api_tally.h */
    atomic_bool tally_waits;           /* something was counted */
    atomic_bool tally_urgent;          /* it must not wait for the minute to end */
    struct ring *jobs;                 /* struct api_job *: listener's thread -> ops */
    struct loop_source *wake;
    const char *what; /* "socket", "port"; NULL: there is no such listener */
    char *path;       /* of the socket */
    uint16_t port;
    char *tls_cert; /* NULL: no TLS */
    char *tls_key;
    int64_t tls_version; /* changes with these files */
    bool refused;        /* it could not be opened, and an alert says so */
    bool poked;
    bool silent;          /* its thread hangs, and an alert says so */
    atomic_int under_way; /* jobs without an answer */
    atomic_int watching;  /* the same, of those that wait for events */
    /* The last answer about the state, which is given again until something in it changes. */
    struct api_state_key state_key;
    struct web_content *state; /* NULL: none yet */
    struct api_headers *state_headers;
    struct api_metrics *metrics; /* NULL: nobody has asked yet */
    struct api_stores stores;    /* of its thread */
};

enum api_job_kind {
    API_JOB_COMMAND,
    API_JOB_COMPLETE,
    API_JOB_EVENTS,
    API_JOB_PING,
    API_JOB_MCP,
    API_JOB_ALERTS,
    API_JOB_LOGIN,
    API_JOB_PICTURE
};

struct api_login;
struct foreign_alert;
struct mcp_request;

/* One request for ops, from suspended to answered. Owned by the ring, then by ops. */
struct api_job {
    enum api_job_kind kind;
    struct listener *listener;
    struct web_request *request;
    struct api_job *next; /* in api->active or api->watches */
    char *line;           /* "restart demo", or "restart"; of a ping its key, of a picture its id */
    char *args_json;      /* {"service":"demo"}; NULL: the arguments are in line */
    int64_t uid;          /* of the caller; over TCP the number of its token */
    bool confirmed;
    char *key;                   /* of Idempotency-Key; NULL: none */
    char hash[65];               /* of what was asked, for the key */
    char caller[128];            /* of the key, once ops has identified the caller */
    int64_t run_id;              /* 0: not stored yet */
    int64_t wait_us;             /* for the end of its run; -1: until it ends */
    const struct route *reading; /* the data of the reply are answered in its form; NULL: the reply
                                    itself is */
    char otp[16];                /* the code of the second factor; "": none */
    char *document; /* a text too long for an argument, which may hold secrets; NULL: none */
    char workflow[MANIFEST_NAME_SIZE]; /* what must be one to be run; "": any command is */
    enum heartbeat_call ping;
    uint64_t after; /* events: the last one that the reader has; 0: none, it only asks for it */
    int64_t until_mono_us;   /* events: when it is answered in any case */
    struct mcp_request *mcp; /* owned; then line is the text of a resource, NULL: ops reads it */
    struct foreign_alert *alerts; /* owned: what Alertmanager sent */
    int alert_count;
    int alert_next;
    struct api_login *login; /* owned */
    struct principal who;    /* of mcp, once ops has identified the caller */
};

struct api_event {
    uint64_t id;
    int64_t uid; /* only for this caller at the socket; -1: for everybody */
    char *json;  /* owned */
};

struct api {
    struct loop *loop;
    struct shared *shared;
    struct runner *runner;
    struct access *access;
    struct health *health;
    struct alerts *alerts;
    struct loop_source *listen_timer;
    struct ops_store *store;
    const struct manifest_list *manifests;
    struct shelf *shelf;         /* NULL: replies have no pictures */
    const struct config *config; /* in force */
    int (*offer)(struct str text, char ret_hash[API_DOCUMENT_HASH_SIZE], void *userdata,
                 struct err *err); /* NULL: no command takes a document */
    void *userdata;                /* of offer */
    char state_dir[PATH_MAX];
    char token[API_TOKEN_MAX + 1];  /* as last applied */
    char before[API_TOKEN_MAX + 1]; /* api_grace */
    int64_t before_until_us;
    struct listener socket;
    struct listener tcp;
    struct stream *stream;
    /* Ops; the members below, too. */
    struct loop_source *tally_timer;
    bool tally_soon; /* it is armed for this minute */
    int64_t refusals_hour_us;
    int64_t refusals_rows; /* in the audit log, of this hour */
    int64_t refusals_left; /* without a row */
    int64_t audited_hour_us;
    int64_t urgent_mono_us;  /* the last time that calls were written before their minute ended */
    int64_t guessed_mono_us; /* the last wrong token that made an alert; or the start */
    struct api_job *active;
    struct api_job *watches;
    struct loop_source *watch_timer;
    struct api_job *foreign; /* whose alerts are being raised, in the order of their arrival */
    struct loop_source *foreign_timer;
    struct loop_source *acting_timer;        /* armed while a command waits with a limit */
    struct api_event events[API_EVENTS_MAX]; /* at id modulo API_EVENTS_MAX */
    uint64_t first_event;                    /* of this process: no id of another one is above */
    uint64_t last_event;
};

/* Ops. Tries every five seconds to open what cannot be opened at once. */
int api_listen_start(struct api *api, const struct api_options *options, struct err *err);
/* Ops: loads the certificate again. */
void api_listen_reload(struct api *api);
/* Ops, after the listeners' threads have ended. */
void api_listen_release(struct api *api);

/* Listener's thread: the request handler of both listeners. */
void api_handle(struct web_request *request, void *listener);

/* Any thread: answers with the catalogue row as application/problem+json (RFC 9457) and with its
 * HTTP status; a 503 says when to come again. */
void api_answer_err(struct web_request *request, const struct err *err);
/* The same with more headers, "Name: value", the last one NULL; at most 6. */
void api_answer_problem(struct web_request *request, const struct err *err,
                        const char *const *headers);
/* Sends the body of such an answer. */
void api_problem_send(struct web_request *request, int status, struct str body,
                      const char *const *headers);
/* The body of such an answer, for what never reaches a handler: a web_problem (io/web.h). */
void api_problem_document(const struct err *err, struct buf *body);
/* The members of a problem, into the object that is open. */
void api_problem_write(struct json_out *out, const struct err *err);

/* Listener's thread: the handlers of the table of routes. */
struct api_call;
void api_metrics_handle(struct api_call *call);
void api_metrics_json_handle(struct api_call *call);
void api_state_handle(struct api_call *call);
void api_summary_handle(struct api_call *call);
void api_health_handle(struct api_call *call);
void api_live_handle(struct api_call *call);
void api_ready_handle(struct api_call *call);
/* Of every route with a command. */
void api_reading_handle(struct api_call *call);
void api_why_handle(struct api_call *call);
void api_equity_handle(struct api_call *call);
void api_candles_handle(struct api_call *call);
void api_decision_handle(struct api_call *call);
void api_findings_handle(struct api_call *call);
void api_incidents_handle(struct api_call *call);
void api_run_handle(struct api_call *call);
void api_rules_handle(struct api_call *call);
void api_learnings_handle(struct api_call *call);
void api_audits_handle(struct api_call *call);
void api_auditlog_handle(struct api_call *call);
void api_positions_handle(struct api_call *call);
void api_trades_handle(struct api_call *call);
void api_orders_handle(struct api_call *call);
void api_decisions_handle(struct api_call *call);
void api_alerts_handle(struct api_call *call);
void api_runs_handle(struct api_call *call);
void api_command_handle(struct api_call *call);
void api_workflow_handle(struct api_call *call);
void api_complete_handle(struct api_call *call);
void api_events_handle(struct api_call *call);
void api_ping_handle(struct api_call *call);
void api_page_handle(struct api_call *call);
void api_page_file_handle(struct api_call *call);
void api_openapi_handle(struct api_call *call);
void api_docs_handle(struct api_call *call);
void api_confirmation_handle(struct api_call *call);
void api_cancel_handle(struct api_call *call);
void api_mcp_handle(struct api_call *call);
void api_alertmanager_handle(struct api_call *call);
void api_session_handle(struct api_call *call);
void api_picture_handle(struct api_call *call);

/* The content of a command request. */
struct api_command {
    struct buf line; /* the command's name, followed by the arguments if they are one string */
    struct buf args; /* JSON object of strings by name, if args is an object or an array */
    bool by_name;    /* args is used */
    bool confirmed;
    const char *workflow; /* its name, if only a workflow may be run; of the request */
    char otp[16];         /* the code of the second factor; "": none */
    char *document;       /* owned: a text too long for an argument; NULL: none */
};

/* Listener's thread: parses the body of a command request. *ret must be released, also after a
 * failure. */
int api_command_read(const char *name, struct str body, struct api_command *ret, struct err *err);
void api_command_release(struct api_command *command);
/* Listener's thread: suspends the request and passes it to ops. */
void api_command_submit(struct api_call *call, const struct api_command *command);
/* Listener's thread: suspends the request and passes the job to ops; refuses it if there are too
 * many. The job is copied. */
void api_job_submit(struct listener *listener, struct web_request *request,
                    const struct api_job *job);
void api_job_free(struct api_job *job);
/* Ops: the runner will answer the job; it is in api->active until then. */
void api_job_link(struct api *api, struct api_job *job);
void api_job_unlink(struct api *api, struct api_job *job);
/* Ops: answers that the daemon stops. */
void api_job_end(struct api_job *job);
/* Ops: the data of a reply as the document of the job's route. */
void api_reading_answer(struct api_job *job, const struct reply *reply);
/* Ops. */
void api_complete_run(struct api *api, struct api_job *job);
void api_alertmanager_run(struct api *api, struct api_job *job);
void api_session_run(struct api *api, struct api_job *job);
void api_picture_run(struct api_job *job);
/* Ops: where the job's caller fetches the pictures of its reply; nothing for a reply without any.
 */
void api_picture_write(const struct api_job *job, const struct reply *reply, struct json_out *out);
int api_alertmanager_end(struct api *api); /* returns how many requests it has ended */
void api_ping_run(struct api *api, struct api_job *job);
void api_events_start(struct api *api);
/* Passes the progress of a command to the callers at the socket with this uid who wait for events;
 * to nobody else. */
void api_publish_progress(struct api *api, const struct reply *reply, int64_t uid);
void api_events_run(struct api *api, struct api_job *job);
int api_events_end(struct api *api); /* answers all readers; returns their number */
void api_events_release(struct api *api);
/* Listener's thread: the headers Idempotency-Key and Prefer. Error: API_HEADER. */
int api_acting_read(struct api_call *call, struct api_job *job, struct err *err);
/* Ops. True: the request was made before, and was answered as then. */
bool api_acting_repeat(struct api *api, struct api_job *job, const struct principal *who);
/* The `stored` of a command's invocation. */
int api_acting_stored(int64_t run_id, void *job, struct err *err);
/* Keeps the answer for a repeated request. concealed: it holds a secret. */
void api_acting_keep(const struct api_job *job, int status, struct str body, bool concealed);
/* After a command was submitted: from now on its client waits, with a limit if it has one. */
void api_acting_wait(struct api *api, struct api_job *job);
void api_acting_start(struct api *api);
/* Ops: runs the commands in the listener's ring. */
void api_command_accept(void *listener);
/* Ops: answers every command under way with API_STOPPING. Returns their number. */
int api_command_end(struct api *api);

/* Listener's thread: the document of GET /api/v1/state. */
void api_state_json(struct listener *listener, struct buf *out);
/* Listener's thread: the document of GET /api/v1/summary. */
void api_summary_json(struct listener *listener, struct buf *out);
/* The state of the channel ("up", "silent", "refused" …) and the start of an outage. */
void api_telegram_write(struct json_out *out, int state, int64_t since_us);
/* The members run, steps and result of a run; of the connection's thread. */
int api_run_write(struct ops_store *store, int64_t id, struct json_out *out, struct err *err);
