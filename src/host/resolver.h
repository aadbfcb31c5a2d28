/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A name's addresses, asked for by a child process in another network namespace, with the name
 * servers that count there. The child reads bytes from the network, so it has no privilege, no
 * descriptor but the pipe to us, and little time. Its answer is a struct of fixed size, checked
 * before it is believed.
 */
#pragma once

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
	int netns_fd; /* where it is asked; -1: here */
	/*
	 * Whom. Where there are none: those of RESOLVER_MOUNTED; else those of /proc/1's
	 * resolv.conf, where process 1 is another than we and in that namespace; else those of our
	 * own, without Docker's 127.0.0.11, which answers in the container's namespace alone.
	 */
	size_t n_servers;
	struct resolver_server servers[RESOLVER_SERVERS_MAX];
	/* Called in the child before it hears of the network: what it must not know. May be NULL.
	 */
	void (*forget)(void *ctx);
	void *ctx;
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
 * Starts the child. *ret_fd becomes readable with its answer, and is the caller's to close;
 * *ret_pid is a child to be reaped, which ends by itself soon after RESOLVER_LIMIT_MS at the
 * latest, and with us. fork(2)'s and pipe(2)'s errors.
 */
int resolver_start(const struct resolver_question *q, pid_t *ret_pid, int *ret_fd);
/* -EAGAIN: not yet. An answer that is none counts as RESOLVER_FAULT. */
int resolver_read(int fd, struct resolver_answer *ret_answer);

/* Of a resolv.conf: at most max servers, without Docker's where skip_docker. How many. */
size_t resolver_servers(const char *path, bool skip_docker, struct resolver_server *ret_servers,
			size_t max);
