/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces of a test's own: "ours", in which the test runs, and "host", both without a
 * name and gone with the process. Without the right to make them the test is skipped, and says so.
 */
#pragma once

#include "unit/unit.h"

#include "host/netns.h"

#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct sandbox {
	bool made;
	char why_not[128];
	int host_ns; /* another namespace than the one we are in */
	int own_ns;
	int first_ns; /* the one the test was started in: left alone, but for what the environment
			 names */
};

static struct sandbox sandbox = { .host_ns = -1, .own_ns = -1, .first_ns = -1 };

/* tests/unit/tap shows the reason. */
#define skip_because(why)                                                                          \
	do {                                                                                       \
		print_message("# skipped: %s\n", (why));                                           \
		skip();                                                                            \
	} while (0)

/* Runs a command with the shell, where we are. */
static inline void run(const char *command)
{
	int status = system(command); /* NOLINT(cert-env33-c): the commands are this test's own */
	if (status != 0)
		fail_msg("%s: status %d", command, status);
}

static inline int run_fn(void *ctx)
{
	run((const char *)ctx);
	return 0;
}

/* The same inside another namespace. */
static inline void run_in(int ns, const char *command)
{
	char copy[1024];
	assert_in_range(snprintf(copy, sizeof copy, "%s", command), 1, sizeof copy - 1);
	assert_int_equal(netns_call(ns, run_fn, copy), 0);
}

/* A group setup: the two namespaces, with loopback up. */
static inline int sandbox_enter(void **state)
{
	(void)state;
	if (netns_open_own(&sandbox.first_ns) < 0)
		return -1;
	if (unshare(CLONE_NEWNET) < 0) {
		(void)snprintf(sandbox.why_not, sizeof sandbox.why_not,
			       "no right to make a network namespace: %s", strerror(errno));
		return 0;
	}
	if (netns_open_own(&sandbox.host_ns) < 0 || system("ip link set lo up") != 0 ||
	    unshare(CLONE_NEWNET) < 0 || netns_open_own(&sandbox.own_ns) < 0 ||
	    system("ip link set lo up") != 0)
		return -1;
	sandbox.made = true;
	return 0;
}

static inline int sandbox_leave(void **state)
{
	(void)state;
	if (sandbox.first_ns >= 0)
		(void)close(sandbox.first_ns); /* only looked at */
	if (sandbox.host_ns >= 0)
		(void)close(sandbox.host_ns); /* the namespace ends with its last user */
	if (sandbox.own_ns >= 0)
		(void)close(sandbox.own_ns); /* likewise */
	return 0;
}

/* First in every test that needs the namespaces. */
#define NEEDS_SANDBOX()                                                                            \
	do {                                                                                       \
		if (!sandbox.made)                                                                 \
			skip_because(sandbox.why_not);                                             \
	} while (0)
