#include "base/check.h"
#include "base/log.h"
#include "base/log_tap.h"
#include "io/json_out.h"
#include "io/secret.h"
#include "store/ops.h"
#include "stream_internal.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define TICK_US       USEC_PER_SEC
#define ENGINE_US     (10 * USEC_PER_MSEC)  /* for events, while there are clients */
#define FIRST_LOOK_US (20 * USEC_PER_MSEC)  /* for the first snapshot and the services */
#define LOGS_LOOK_US  (200 * USEC_PER_MSEC) /* for lines of the log */
#define FIRST_WAIT_US (2 * USEC_PER_SEC)    /* then a client begins without them */
#define STACK_BYTES   ((size_t)512 * 1024)
#define JSON_MAX      ((size_t)512 * 1024)
#define FILES_MAX     4096 /* descriptors, as in systemd/nightdesk.service */

/* ---------------------------------------------------------------- publishing (stream's thread) */

static void on_drop(const struct stream_event *event, void *userdata)
{
    const struct stream *stream = userdata;
    for (struct stream_client *c = stream->clients; c != NULL; c = c->next) {
        stream_client_drop(c, event);
    }
}

static int64_t now_us(const struct stream *stream)
{
    return clock_mono_us(loop_clock(stream->loop));
}

/* The members that every text has. seq: of the event, or of the last one before. */
static void begin_text(struct stream *stream, struct json_out *out, uint64_t seq, const char *type)
{
    char id[STREAM_ID_SIZE];
    stream_id_write(stream->replay.epoch, seq, id);
    json_out_object(out, NULL);
    json_out_text(out, "id", id);
    json_out_u64(out, "seq", seq);
    json_out_text(out, "type", type);
}

static struct json_out *begin_event(void *userdata)
{
    struct stream *stream = userdata;
    buf_clear(&stream->json);
    stream->out = (struct json_out)JSON_OUT(&stream->json);
    begin_text(stream, &stream->out, stream->replay.next, "event");
    json_out_object(&stream->out, "data");
    return &stream->out;
}

static void end_event(const struct stream_about *about, void *userdata)
{
    struct stream *stream = userdata;
    json_out_end(&stream->out);
    json_out_text(&stream->out, "topic", stream_topic_name(about->topic));
    json_out_time(&stream->out, "sent_at", clock_wall_us(loop_clock(stream->loop)));
    json_out_end(&stream->out);
    if (!buf_failed(&stream->json)) {
        stream_replay_add(&stream->replay, about, buf_str(&stream->json), now_us(stream), on_drop,
                          stream);
        loop_defer(stream->send);
    }
}

/* One pass for all that was published in this turn of the loop. */
static void send_all(void *userdata)
{
    const struct stream *stream = userdata;
    for (struct stream_client *c = stream->clients; c != NULL; c = c->next) {
        stream_client_send(c);
    }
}

/* ---------------------------------------------------------------- clients (stream's thread) */

static void remove_client(struct stream *stream, struct stream_client *client)
{
    *(client->previous == NULL ? &stream->clients : &client->previous->next) = client->next;
    if (client->next != NULL) {
        client->next->previous = client->previous;
    }
    stream_leave(stream, client->seat);
    stream_client_free(client);
}

static void on_gone(struct stream_client *client, void *userdata)
{
    remove_client(userdata, client);
}

static void say(struct stream *stream, struct stream_client *client, struct json_out *out)
{
    char id[STREAM_ID_SIZE];
    json_out_end(out);
    stream_id_write(stream->replay.epoch, client->cursor - 1, id);
    if (!buf_failed(out->text)) {
        stream_client_say(client, id, buf_str(out->text));
    }
}

static void say_hello(struct stream *stream, struct stream_client *client, bool resumed)
{
    AUTO_BUF struct buf json = BUF_INIT(4096);
    struct json_out out = JSON_OUT(&json);
    begin_text(stream, &out, client->cursor - 1, "hello");
    json_out_text(&out, "schema", "nightdesk.stream/1");
    json_out_bool(&out, "resumed", resumed);
    json_out_array(&out, "topics");
    for (size_t i = 0; i < STREAM_TOPICS; i++) {
        if ((client->wish.filter.topics & 1U << i) != 0) {
            json_out_text(&out, NULL, stream_topic_name((enum stream_topic)i));
        }
    }
    json_out_end(&out);
    say(stream, client, &out);
}

static void say_snapshots(struct stream *stream, struct stream_client *client)
{
    for (size_t i = 0; i < STREAM_TOPICS; i++) {
        if ((client->wish.filter.topics & 1U << i) != 0 && i != STREAM_LOGS) {
            AUTO_BUF struct buf json = BUF_INIT(JSON_MAX);
            struct json_out out = JSON_OUT(&json);
            begin_text(stream, &out, client->cursor - 1, "snapshot");
            json_out_text(&out, "topic", stream_topic_name((enum stream_topic)i));
            stream_source_snapshot(stream->source, (enum stream_topic)i, &out);
            say(stream, client, &out);
        }
    }
}

/* Where the client begins: behind the last event that it has, if that is still known. */
static void begin_client(struct stream *stream, struct stream_client *client)
{
    const struct stream_wish *wish = &client->wish;
    const struct stream_replay *replay = &stream->replay;
    uint64_t first = stream_replay_first(replay);
    bool known =
        wish->resumes && wish->after_epoch == replay->epoch && wish->after_seq < replay->next;
    bool whole = known && wish->after_seq + 1 >= first;
    client->cursor = whole ? wish->after_seq + 1 : replay->next;
    client->begun = true;
    say_hello(stream, client, whole);
    if (known && !whole) {
        AUTO_BUF struct buf json = BUF_INIT(1024);
        struct json_out out = JSON_OUT(&json);
        begin_text(stream, &out, client->cursor - 1, "missed");
        json_out_u64(&out, "count", replay->next - 1 - wish->after_seq);
        json_out_null(&out, "topics");
        say(stream, client, &out);
    }
    if (!whole) {
        say_snapshots(stream, client);
    }
    stream_client_send(client);
}

static bool wants(const struct stream *stream, enum stream_topic topic)
{
    for (const struct stream_client *c = stream->clients; c != NULL; c = c->next) {
        if ((c->wish.filter.topics & 1U << topic) != 0) {
            return true;
        }
    }
    return false;
}

/* Every client is notified: what was lost is unknown. */
static void tell_lost(struct stream *stream, uint64_t count, uint32_t topics)
{
    for (struct stream_client *c = stream->clients; count > 0 && c != NULL; c = c->next) {
        for (size_t i = 0; i < STREAM_TOPICS; i++) {
            if ((c->wish.filter.topics & topics & 1U << i) != 0) {
                c->missed[i] += count;
            }
        }
    }
    if (count > 0) {
        loop_defer(stream->send);
    }
}

/* Runs often while a client waits for its begin, less often while one reads the log. */
static void on_look(void *userdata)
{
    struct stream *stream = userdata;
    bool waited = now_us(stream) - stream->began_mono_us > FIRST_WAIT_US;
    bool ready = (stream_source_begin(stream->source) && stream->has_services) || waited;
    for (struct stream_client *c = stream->clients; ready && c != NULL; c = c->next) {
        if (!c->begun) {
            begin_client(stream, c);
        }
    }
    if (stream->reads_logs) {
        uint64_t lost = 0;
        stream_source_logs(stream->source, &lost);
        tell_lost(stream, lost, 1U << STREAM_LOGS);
    }
    if (!ready) {
        loop_timer_in(stream->look, FIRST_LOOK_US);
    } else if (stream->reads_logs) {
        loop_timer_in(stream->look, LOGS_LOOK_US);
    }
}

static void open_client(struct stream *stream, struct stream_client *client)
{
    const struct stream_client_options options = {
        .loop = stream->loop, .replay = &stream->replay, .gone = on_gone, .userdata = stream};
    client->next = stream->clients;
    client->previous = NULL;
    if (stream->clients != NULL) {
        stream->clients->previous = client;
    }
    stream->clients = client;
    if (!stream_client_open(client, &options)) {
        remove_client(stream, client);
    } else if (!stream->reads_logs && wants(stream, STREAM_LOGS)) {
        log_tap_open();
        stream->reads_logs = true;
    }
}

/* ---------------------------------------------------------------- the thread */

static struct stream_client *take_arriving(struct stream *stream, bool *ret_stopping)
{
    (void)pthread_mutex_lock(&stream->mutex);
    struct stream_client *list = TAKE(stream->arriving);
    *ret_stopping = stream->stopping;
    (void)pthread_mutex_unlock(&stream->mutex);
    return list;
}

static void end_clients(struct stream *stream)
{
    while (stream->clients != NULL) {
        stream_client_close(stream->clients, WEBSOCKET_GOING_AWAY, "nightdesk stops");
        remove_client(stream, stream->clients);
    }
}

static void take_notes(struct stream *stream)
{
    struct stream_note note;
    bool fresh = false;
    while (ring_pop(stream->notes, &note)) {
        if (note.kind == STREAM_NOTE_ALERT) {
            stream_source_alert(stream->source, note.id);
        } else {
            stream_source_run(stream->source, note.id);
        }
    }
    tell_lost(stream, atomic_exchange(&stream->lost, 0),
              1U << STREAM_ALERTS | 1U << STREAM_FINDINGS | 1U << STREAM_RUNS);
    const struct stream_services *services = mailbox_latest(stream->services, &fresh);
    if (fresh) {
        stream_source_services(stream->source, services);
        stream->has_services = true;
    }
}

/* A listener has a client, or ops has a change or wants the thread to end. */
static void on_wake(void *userdata)
{
    struct stream *stream = userdata;
    bool stopping = false;
    struct stream_client *arriving = take_arriving(stream, &stopping);
    take_notes(stream);
    while (arriving != NULL) {
        struct stream_client *client = arriving;
        arriving = client->next;
        if (stream->clients == NULL) {
            loop_timer_in(stream->engine, ENGINE_US);
        }
        open_client(stream, client);
    }
    if (stopping) {
        end_clients(stream);
        loop_exit(stream->loop, 0);
    } else {
        on_look(stream);
    }
}

/* The engine wakes nobody here: a system call would lengthen its step. Without clients on_tick is
 * often enough for what is replayed later. */
static void on_engine(void *userdata)
{
    struct stream *stream = userdata;
    stream_source_engine(stream->source);
    if (stream->clients != NULL) {
        loop_timer_in(stream->engine, ENGINE_US);
    }
}

/* Ops looks every second what the callers may still do. */
static void recheck(struct stream *stream)
{
    bool changed = atomic_exchange_explicit(&stream->token_changed, false, memory_order_relaxed);
    for (struct stream_client *c = stream->clients; c != NULL; c = c->next) {
        int role = atomic_load_explicit(&stream->seats[c->seat].role, memory_order_relaxed);
        bool replaced = changed && c->wish.caller.channel == CHANNEL_HTTP && c->wish.caller.id == 0;
        if (replaced || (c->wish.filter.topics & ~stream_topics_of((enum role)role)) != 0) {
            stream_client_close(c, WEBSOCKET_POLICY, "the caller may not read this any more");
        }
    }
}

static void on_tick(void *userdata)
{
    struct stream *stream = userdata;
    atomic_store_explicit(&stream->o.shared->stream_beat_mono_us, clock_mono_us(clock_real()),
                          memory_order_relaxed);
    stream_source_engine(stream->source);
    stream_replay_expire(&stream->replay, now_us(stream), on_drop, stream);
    recheck(stream);
    for (struct stream_client *c = stream->clients, *next; c != NULL; c = next) {
        next = c->next;
        stream_client_tick(c);
    }
}

static void *run(void *userdata)
{
    struct stream *stream = userdata;
    stream->began_mono_us = now_us(stream);
    on_tick(stream); /* its beat is due at once; a timer armed twice would tick only once */
    loop_timer_every(stream->tick, TICK_US);
    (void)loop_run(stream->loop);
    atomic_store(&stream->o.shared->stream_beat_mono_us, 0);
    return NULL;
}

static int make_loop(struct stream *stream, struct err *err)
{
    if ((stream->loop = loop_new(err)) == NULL ||
        (stream->wake = loop_add_wake(stream->loop, on_wake, stream, err)) == NULL) {
        return -ERR_LOOP_SETUP;
    }
    stream->engine = loop_add_timer(stream->loop, on_engine, stream);
    stream->tick = loop_add_timer(stream->loop, on_tick, stream);
    stream->look = loop_add_timer(stream->loop, on_look, stream);
    stream->send = loop_add_deferred(stream->loop, send_all, stream);
    loop_source_name(stream->wake, "stream wake");
    loop_source_name(stream->engine, "stream engine");
    loop_source_name(stream->tick, "stream tick");
    return 0;
}

static void release_loop(struct stream *stream)
{
    struct loop_source **sources[] = {&stream->wake, &stream->engine, &stream->tick, &stream->look,
                                      &stream->send};
    for (size_t i = 0; i < COUNT_OF(sources); i++) {
        loop_source_free(TAKE(*sources[i]));
    }
    loop_free(TAKE(stream->loop));
}

/* A client needs a descriptor, and the usual limit of a shell is 1,024. */
static void raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < FILES_MAX) {
        limit.rlim_cur = limit.rlim_max < FILES_MAX ? limit.rlim_max : FILES_MAX;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static int start_thread(struct stream *stream, struct err *err)
{
    sigset_t all, before;
    pthread_attr_t attributes;
    (void)pthread_attr_init(&attributes);
    (void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&stream->thread, &attributes, run, stream);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attributes);
    return rc == 0 ? 0 : err_set(err, ERR_LOOP_SETUP, "thread: %s", strerror(rc));
}

/* With the mutex held. */
static int start(struct stream *stream, struct err *err)
{
    int rc = make_loop(stream, err);
    if (rc < 0) {
        release_loop(stream);
        return rc;
    }
    raise_limit();
    stream->notes = ring_new(STREAM_NOTES_MAX, sizeof(struct stream_note));
    stream->services = mailbox_new(sizeof(struct stream_services));
    stream->has_services = stream->o.health == NULL;
    buf_init(&stream->json, JSON_MAX);
    stream_replay_init(&stream->replay, (uint64_t)clock_wall_us(clock_real()));
    stream->source =
        stream_source_new(&(struct stream_source_options){.state_dir = stream->state_dir,
                                                          .shared = stream->o.shared,
                                                          .reader = stream->o.reader,
                                                          .begin = begin_event,
                                                          .end = end_event,
                                                          .userdata = stream});
    shared_reader_wake(stream->o.reader);
    rc = start_thread(stream, err);
    if (rc == 0) {
        stream->started = true;
        atomic_store(&stream->live, true);
        loop_wake(stream->asked);
    }
    return rc;
}

/* With the mutex held. The seat of the caller, or a free one; -1: there is none. */
static int find_seat(const struct stream *stream, const struct stream_caller *caller)
{
    int found = -1;
    for (int i = 0; i < STREAM_SEATS_MAX; i++) {
        const struct stream_seat *seat = &stream->seats[i];
        if (seat->clients > 0 && seat->caller.channel == caller->channel &&
            seat->caller.id == caller->id) {
            return i;
        }
        found = seat->clients == 0 && found < 0 ? i : found;
    }
    return found;
}

int stream_reserve(struct stream *stream, const struct stream_caller *caller, enum role role,
                   int *ret_seat, struct err *err)
{
    int rc = 0;
    (void)pthread_mutex_lock(&stream->mutex);
    int seat = find_seat(stream, caller);
    if (stream->stopping) {
        rc = err_set(err, ERR_API_STOPPING, "stream");
    } else if (seat < 0 || stream->clients_count >= STREAM_CLIENTS_MAX) {
        rc = err_set(err, ERR_API_STREAM_FULL, "%d clients", stream->clients_count);
    } else if (!stream->started) {
        rc = start(stream, err);
    }
    if (rc == 0) {
        stream->seats[seat].clients++;
        stream->seats[seat].caller = *caller;
        atomic_store_explicit(&stream->seats[seat].role, (int)role, memory_order_relaxed);
        stream->clients_count++;
        *ret_seat = seat;
    }
    (void)pthread_mutex_unlock(&stream->mutex);
    return rc;
}

void stream_leave(struct stream *stream, int seat)
{
    (void)pthread_mutex_lock(&stream->mutex);
    stream->seats[seat].clients--;
    stream->clients_count--;
    (void)pthread_mutex_unlock(&stream->mutex);
}

void stream_attach(struct stream *stream, struct stream_client *client)
{
    (void)pthread_mutex_lock(&stream->mutex);
    bool refused = stream->stopping;
    if (!refused) {
        client->next = stream->arriving;
        stream->arriving = client;
        loop_wake(stream->wake);
    }
    (void)pthread_mutex_unlock(&stream->mutex);
    if (refused) {
        stream_leave(stream, client->seat);
        stream_client_free(client);
    }
}

/* ---------------------------------------------------------------- ops */

static void flush_pending(void *userdata)
{
    struct stream *stream = userdata;
    for (size_t i = 0; i < stream->pending_count; i++) {
        if (!ring_push(stream->notes, &stream->pending[i])) {
            (void)atomic_fetch_add(&stream->lost, 1);
        }
    }
    stream->pending_count = 0;
    loop_wake(stream->wake);
}

/* The statement is under way: what it changes can be read by others when the callback of ops that
 * runs it has returned, because no transaction outlives a callback. */
static void on_change(const char *table, int64_t rowid, void *userdata)
{
    struct stream *stream = userdata;
    if (!atomic_load_explicit(&stream->live, memory_order_acquire)) {
        return;
    }
    struct stream_note note = {.id = rowid};
    if (strcmp(table, "monitoring_alerts") == 0) {
        note.kind = STREAM_NOTE_ALERT;
    } else if (strcmp(table, "command_runs") == 0) {
        note.kind = STREAM_NOTE_RUN;
    } else {
        return;
    }
    for (size_t i = 0; i < stream->pending_count; i++) {
        if (stream->pending[i].kind == note.kind && stream->pending[i].id == note.id) {
            return;
        }
    }
    if (stream->pending_count == STREAM_PENDING_MAX) {
        (void)atomic_fetch_add(&stream->lost, 1);
        return;
    }
    stream->pending[stream->pending_count++] = note;
    loop_defer(stream->flush);
}

static bool service_changed(const struct health_service *a, const struct health_service *b)
{
    return strcmp(a->name, b->name) != 0 || strcmp(a->state, b->state) != 0 ||
           a->since_us != b->since_us || strcmp(a->detail, b->detail) != 0;
}

static void pass_services(struct stream *stream)
{
    struct stream_services *draft = mailbox_draft(stream->services), *told = stream->told;
    bool changed = told == NULL;
    if (told == NULL) {
        stream->told = told = calloc(1, sizeof(*told));
        ASSERT(told != NULL);
    }
    draft->known = true;
    draft->count = health_count(stream->o.health);
    changed |= draft->count != told->count;
    for (size_t i = 0; i < draft->count; i++) {
        health_service_at(stream->o.health, i, &draft->list[i]);
        changed |= service_changed(&draft->list[i], &told->list[i]);
        told->list[i] = draft->list[i];
    }
    told->count = draft->count;
    if (changed) {
        mailbox_publish(stream->services);
        loop_wake(stream->wake);
    }
}

/* If another thread is at the seats, the next second will do. */
static void pass_roles(struct stream *stream)
{
    if (pthread_mutex_trylock(&stream->mutex) != 0) {
        return;
    }
    for (int i = 0; i < STREAM_SEATS_MAX; i++) {
        struct stream_seat *seat = &stream->seats[i];
        struct principal who = {.role = ROLE_NONE};
        if (seat->clients > 0) {
            bool known =
                access_identify(stream->o.access, seat->caller.channel, seat->caller.id, &who) == 0;
            atomic_store_explicit(&seat->role, known ? (int)who.role : (int)ROLE_NONE,
                                  memory_order_relaxed);
        }
    }
    (void)pthread_mutex_unlock(&stream->mutex);
}

void stream_tick(struct stream *stream)
{
    if (!atomic_load_explicit(&stream->live, memory_order_acquire)) {
        return;
    }
    if (stream->o.health != NULL) {
        pass_services(stream);
    }
    pass_roles(stream);
}

void stream_token_changed(struct stream *stream)
{
    atomic_store_explicit(&stream->token_changed, true, memory_order_relaxed);
}

static void on_asked(void *userdata)
{
    stream_tick(userdata);
}

struct stream *stream_new(const struct stream_options *options, struct err *err)
{
    struct stream *stream = calloc(1, sizeof(*stream));
    ASSERT(stream != NULL);
    stream->o = *options;
    int rc = pthread_mutex_init(&stream->mutex, NULL);
    ASSERT(rc == 0 &&
           str_copy(str_c(options->state_dir), stream->state_dir, sizeof(stream->state_dir)));
    stream->flush = loop_add_deferred(options->loop, flush_pending, stream);
    stream->asked = loop_add_wake(options->loop, on_asked, stream, err);
    if (stream->asked == NULL) {
        stream_free(stream);
        return NULL;
    }
    loop_source_name(stream->flush, "stream changes");
    loop_source_name(stream->asked, "stream services");
    if (options->store != NULL) {
        ops_store_on_change(options->store, on_change, stream);
    }
    return stream;
}

void stream_stop(struct stream *stream)
{
    if (stream == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&stream->mutex);
    bool running = stream->started && !stream->stopping;
    stream->stopping = true;
    (void)pthread_mutex_unlock(&stream->mutex);
    atomic_store(&stream->live, false);
    if (running) {
        loop_wake(stream->wake);
        (void)pthread_join(stream->thread, NULL);
    }
}

void stream_free(struct stream *stream)
{
    if (stream == NULL) {
        return;
    }
    stream_stop(stream);
    if (stream->o.store != NULL) {
        ops_store_on_change(stream->o.store, NULL, NULL);
    }
    if (stream->loop != NULL) {
        release_loop(stream);
        stream_replay_release(&stream->replay);
        stream_source_free(stream->source);
        ring_free(stream->notes);
        mailbox_free(stream->services);
        buf_release(&stream->json);
    }
    loop_source_free(stream->flush);
    loop_source_free(stream->asked);
    secret_wipe(stream->tickets, sizeof(stream->tickets));
    free(stream->told);
    (void)pthread_mutex_destroy(&stream->mutex);
    free(stream);
}
