/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name's addresses, asked for by a child process in the network namespace that we are in, with
 * the name servers that count there. The child reads bytes from the network, so it has no
 * privilege, no descriptor but the pipe to us, and little time. Its answer is a struct of fixed
 * size, checked before it is believed.
 */
#pragma once

#include "host/proc.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	RESOLVER_SERVERS_MAX = 8,
	RESOLVER_ADDRS_MAX = 16,
	RESOLVER_NAME_MAX = 256,
	RESOLVER_LIMIT_MS = 15000, /* an answer, be it that there is none, comes within it */
};

/* The host's resolv.conf, where people mount it. */
#define RESOLVER_MOUNTED "/run/host/resolv.conf"

struct resolver_server {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint16_t port; /* host byte order; 0: 53 */
};

struct resolver_addr {
	int family;
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
};

struct resolver_question {
	const char *name;
	/*
	 * Whom. Where there are none: those of RESOLVER_MOUNTED; else those of the resolv.conf in
	 * etc_fd (resolver_open_etc()); else those of our own, without Docker's 127.0.0.11, which
	 * answers in the container's namespace alone.
	 */
	int etc_fd; /* -1: none */
	size_t n_servers;
	struct resolver_server servers[RESOLVER_SERVERS_MAX];
};

enum resolver_verdict {
	RESOLVER_FOUND,
	RESOLVER_NO_NAME,    /* the name does not exist */
	RESOLVER_NO_ADDRESS, /* it does, without an address that one can send to */
	RESOLVER_NO_SERVER,  /* nobody is known who could be asked */
	RESOLVER_NO_ANSWER,  /* nobody answers */
	RESOLVER_REFUSED,    /* SERVFAIL, REFUSED, or no server where one should be */
	RESOLVER_FAULT,      /* the child could not do its work */
	RESOLVER_VERDICTS,
};
/* A phrase for the log. */
const char *resolver_verdict_text(enum resolver_verdict v);

struct resolver_answer {
	enum resolver_verdict verdict;
	uint32_t ttl_s; /* of what it was found in: 0 where that may change at any time */
	/* The families alternate, the one to be preferred first (RFC 6724, RFC 8305 §4); those that
	 * there is no route to come last. */
	size_t n;
	struct resolver_addr addrs[RESOLVER_ADDRS_MAX];
};

/*
 * Process 1's /etc, where that is a process of another's, in the network namespace that we are in:
 * the host's own name servers stand there. To be asked before privileges are given up. -ENOENT:
 * there is none.
 */
int resolver_open_etc(int *ret_fd);

/*
 * Starts the child, whose parent is whoever is said. It has a copy of our memory: no secret may be
 * in that. Its answer is written to answer_fd, which stays the caller's; *ret_pid is to be reaped,
 * and ends by itself soon after RESOLVER_LIMIT_MS at the latest, and with its parent. fork(2)'s
 * errors.
 */
int resolver_run(const struct resolver_question *q, int answer_fd, enum child_of of,
		 pid_t *ret_pid);
/* Of the pipe's other end. -EAGAIN: not yet. An answer that is none counts as RESOLVER_FAULT. */
int resolver_read(int fd, struct resolver_answer *ret_answer);

/* Of a resolv.conf: at most max servers, without Docker's where skip_docker. How many. */
size_t resolver_servers(const char *path, bool skip_docker, struct resolver_server *ret_servers,
			size_t max);
