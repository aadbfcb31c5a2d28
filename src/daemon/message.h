/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What init and the server say to each other over their socket pair (SOCK_SEQPACKET): one struct a
 * packet, the same program on both ends, so no encoding. Either end treats a packet of another size
 * as a fault of ours.
 */
#pragma once

#include "engine/uplink.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

enum message_type {
	/* init to server */
	MESSAGE_LINK = 1, /* the subscriber link; once it works, subscribers are answered */
	MESSAGE_UPLINK,   /* the tunnel as init last saw it */
	MESSAGE_DNS,      /* what our own resolver does */
	MESSAGE_ANNOUNCE, /* SIGHUP: advertise at once */
	MESSAGE_SUMMARY,  /* SIGUSR1: log a summary */
	MESSAGE_STOP,     /* say farewell, close the store, hang up, exit once init does, too */
	/* server to init */
	MESSAGE_READY,      /* bindings loaded, their routes in place */
	MESSAGE_SERVING,    /* the first advertisement left */
	MESSAGE_UPLINK_ASK, /* somebody wants the tunnel's state as it is now */
	MESSAGE_CONTESTED,  /* another router advertises from our link-local address */
};

/* The subscriber link as init sees it. */
struct link_state {
	bool carrier;               /* and administratively up */
	bool usable;                /* our addresses have passed duplicate address detection */
	bool missing;               /* the NIC is gone */
	bool transfer_duplicate;    /* somebody on the link has our transfer address */
	struct in6_addr link_local; /* ours: that of the configuration, or one instead of it */
};

enum dns_state { DNS_OFF, DNS_ABSENT, DNS_WAITING, DNS_UP, DNS_DOWN };
const char *dns_state_name(enum dns_state s);

struct message_dns {
	enum dns_state state;
	uint64_t restarts;
};

struct message {
	enum message_type type;
	union {
		struct link_state link;
		struct {
			enum uplink_state state;
			struct uplink_reason reason;
			uint64_t changed_at_ms;
			uint64_t changes;
			bool lost; /* what subscribers are to see of it */
			uint64_t losses;
			uint64_t handshake_unix_s; /* 0: never */
			uint64_t handshake_at_ms;  /* likewise */
			uint64_t rx_bytes;
			uint64_t tx_bytes;
			struct sockaddr_storage endpoint;
			bool probed;
			struct uplink_probe_stats probe;
		} uplink;
		struct message_dns dns;
	};
};

/* Nonblocking, never partial. 0; -EAGAIN: nothing there, or no room; -EPIPE: the other end is gone;
 * -EPROTO: no message of ours. */
int message_send(int fd, const struct message *m);
int message_recv(int fd, struct message *ret_message);
