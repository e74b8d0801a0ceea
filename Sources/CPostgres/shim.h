#ifndef TICKLOOP_CPOSTGRES_SHIM_H
#define TICKLOOP_CPOSTGRES_SHIM_H

#include <postgresql/libpq-fe.h>

// PG_DIAG_* are character literals in macros, which Swift does not import.
static inline const char *cpostgres_sqlstate(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SQLSTATE);
}
static inline const char *cpostgres_severity(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
}
static inline const char *cpostgres_message(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
}
static inline const char *cpostgres_constraint(const PGresult *result) {
    return PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
}

// libpq prints notices to stderr unless told otherwise.
static void cpostgres_ignore_notice(void *context, const char *message) {
    (void)context;
    (void)message;
}
static inline void cpostgres_silence(PGconn *connection) {
    PQsetNoticeProcessor(connection, cpostgres_ignore_notice, 0);
}

#endif
