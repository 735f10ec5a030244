/* SPDX-License-Identifier: MIT */
/*
 * log: what the daemon says of itself, one line each on stderr with the level as a prefix that
 * systemd understands ("<6>"), or to nowhere when stderr is closed. Not for answers to clients.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <syslog.h>

/* Lines above this level are dropped (LOG_INFO at start). */
void log_set_level(int level);
/* Print the "<N>" prefixes (under systemd: JOURNAL_STREAM is set). */
void log_set_prefix(bool on);
void log_at(int level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#define log_error(...) log_at(LOG_ERR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARNING, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

#endif
