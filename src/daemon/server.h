/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The server: a process forked from init that serves subscribers on descriptors that init holds. It
 * loads the bindings, puts their routes in place, tells init that it is ready, and from
 * MESSAGE_SERVE on answers: commit and route, then reply.
 */
#pragma once

#include "daemon/config.h"
#include "daemon/fib.h"
#include "daemon/message.h"
#include "daemon/tally.h"
#include "host/dhcp6_frames.h"
#include "host/dhcp6_sock.h"
#include "host/nd_sock.h"

#include <stdbool.h>
#include <stdint.h>

enum { SERVER_NEWS = 3 };

struct server_params {
	const struct config *config;
	const char *version;
	int init_fd;    /* our end of the socket pair */
	int control_fd; /* listening */
	int metrics_fd; /* likewise; -1: none */
	struct dhcp6_sock *dhcp6_sock;
	struct dhcp6_frames *dhcp6_frames; /* NULL: the interface is no Ethernet */
	struct nd_sock *nd_sock;
	struct fib *fib; /* towards the subscriber interface; ours to let go of */
	int nflog_fd;    /* where the packet filter reports; -1: it does not */
	const char *ifname;
	const uint8_t *lladdr; /* its link-layer address */
	uint8_t lladdr_len;
	uint32_t mtu;                  /* of the subscriber interface */
	struct in6_addr transfer_addr; /* ours in the transfer network */
	const char *subscriber_mode;   /* as resolved: "move" or "local" */
	const char *backend;           /* as resolved: "kernel", "userspace"; NULL: none */
	const uint8_t *pool_key; /* 16 bytes; chooses prefixes; from the configuration alone */
	uint64_t started_at_ms;  /* the appliance's start, monotonic */
	uint64_t restarts;       /* of the server, so far */
	struct tally *tally;     /* what was counted so far, shared with the servers before us */
	struct intake_memory *intake; /* what they have read and not answered */
	bool sound; /* the server before us has read all of the database, and served */
	struct message news[SERVER_NEWS]; /* the uplink, the link and DNS when we were forked */
};

/* Runs until told to stop. An exit code for the process: 0 after a farewell, else a fault that init
 * logs. */
int server_run(const struct server_params *p);
