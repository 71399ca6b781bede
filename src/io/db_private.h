/*
 * db_private.h: the connection behind include/io/db.h, shared by db.c (opens, migrates, maintains),
 * db_statement.c (runs SQL) and db_transaction.c. Private to this module.
 *
 *     return sqlite3_step(stmt) == SQLITE_DONE ? 0 : db_error(db, sql, err);
 *
 * Thread: as db.h.
 */
#pragma once

#include "db_file.h"
#include "io/db.h"

#include <sqlite3.h>

enum { DB_CACHE_MAX = 128 };

/* Statements that take a change back. They are prepared before the change is made, because they
 * must run when memory has run out. */
enum undo { UNDO_ALL, UNDO_PART, UNDO_PART_END, UNDO_COUNT };

struct db {
    sqlite3 *sqlite;
    sqlite3_stmt *undo[UNDO_COUNT];      /* NULL until the first transaction or savepoint */
    struct db_rows *cache[DB_CACHE_MAX]; /* most recently used first */
    size_t cached;
    struct db_args *each; /* the call of db_each that is under way; NULL: none */
    bool has_each;        /* SQLite knows each() */
    db_fault_fn fault;
    void *fault_userdata;
    db_change_fn change;
    void *change_userdata;
    char name[128];            /* last part of the path, for error contexts */
    char *path;                /* NULL: in memory */
    struct db_options options; /* path is NULL */
    struct db_file file;       /* the open files */
    struct db_work work;
    int64_t busy_mono_us; /* since when the statement waits for a lock */
    int64_t rest_mono_us; /* until then none waits */
    bool begun;           /* between db_begin and db_commit or db_rollback */
    bool relaxed;         /* synchronous = NORMAL at the moment */
    bool unsynced;        /* something was committed since the last sync */
    bool sealed;          /* no writes: a copy replaces this file but is not at path yet */
};

/* db.c */
/* The error that SQLite has just returned. what: the statement. */
int db_error(struct db *db, const char *what, struct err *err);
/* 0 if a write may proceed. */
int db_fault(struct db *db, const char *what, struct err *err);

/* db_statement.c */
/* Frees all prepared statements; none may be in use. */
void db_forget_statements(struct db *db);

/* db_transaction.c */
/* Bypasses db_run, because the fault hook counts writes only, not BEGIN and ROLLBACK. */
int db_simple(struct db *db, const char *sql, struct err *err);
