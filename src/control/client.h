/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The verbs that ask the running instance: status, leases, healthcheck. They speak to its control
 * socket: one request line, answered by lines of JSON until the end of the stream.
 */
#pragma once

#define CONTROL_SOCKET "/run/vbng/control.sock"
enum { CONTROL_LINE_MAX = 1024 }; /* bytes of a request with its newline */

enum control_request { CONTROL_STATUS, CONTROL_LEASES, CONTROL_HEALTH, CONTROL_CLEAR };

/* The words on the socket: "status", "leases", "health"; and "clear", which is followed by a blank
 * and what is to be forgotten: "all", a prefix, an address or a DUID. NULL for none of them. */
const char *control_request_word(enum control_request r);

/* Each returns an exit code of the contract. argv begins behind the verb. */
int verb_status(int argc, char **argv);
int verb_leases(int argc, char **argv);
int verb_healthcheck(int argc, char **argv);
