/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DHCPv6 messages (RFC 9915): bytes to structs and back. No I/O, no clock, no allocation: what is
 * parsed points into the packet, which must outlive it. Integers are in host order.
 */
#pragma once

#include "base/buf.h"
#include "base/prefix.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { DHCP6_CLIENT_PORT = 546, DHCP6_SERVER_PORT = 547 };

/* RFC 9915 §7.3 */
enum d6_type {
	D6_SOLICIT = 1,
	D6_ADVERTISE = 2,
	D6_REQUEST = 3,
	D6_CONFIRM = 4,
	D6_RENEW = 5,
	D6_REBIND = 6,
	D6_REPLY = 7,
	D6_RELEASE = 8,
	D6_DECLINE = 9,
	D6_RECONFIGURE = 10,
	D6_INFORMATION_REQUEST = 11,
	D6_RELAY_FORW = 12,
	D6_RELAY_REPL = 13,
};

enum d6_option {
	D6_OPT_CLIENTID = 1,
	D6_OPT_SERVERID = 2,
	D6_OPT_IA_NA = 3,
	D6_OPT_IA_TA = 4, /* obsolete (RFC 9915 §21.5): passed over, and never sent */
	D6_OPT_IAADDR = 5,
	D6_OPT_ORO = 6,
	D6_OPT_PREFERENCE = 7,
	D6_OPT_ELAPSED_TIME = 8,
	D6_OPT_RELAY_MSG = 9,
	D6_OPT_AUTH = 11,
	D6_OPT_UNICAST = 12,
	D6_OPT_STATUS_CODE = 13,
	D6_OPT_RAPID_COMMIT = 14,
	D6_OPT_USER_CLASS = 15,
	D6_OPT_VENDOR_CLASS = 16,
	D6_OPT_VENDOR_OPTS = 17,
	D6_OPT_INTERFACE_ID = 18,
	D6_OPT_RECONF_MSG = 19,
	D6_OPT_RECONF_ACCEPT = 20,
	D6_OPT_DNS_SERVERS = 23,
	D6_OPT_DOMAIN_LIST = 24,
	D6_OPT_IA_PD = 25,
	D6_OPT_IAPREFIX = 26,
	D6_OPT_SNTP_SERVERS = 31,
	D6_OPT_INFORMATION_REFRESH_TIME = 32,
	D6_OPT_REMOTE_ID = 37,
	D6_OPT_SUBSCRIBER_ID = 38,
	D6_OPT_CLIENT_FQDN = 39,
	D6_OPT_NTP_SERVER = 56,
	D6_OPT_AFTR_NAME = 64,
	D6_OPT_PD_EXCLUDE = 67,
	D6_OPT_CLIENT_LINKLAYER_ADDR = 79,
	D6_OPT_SOL_MAX_RT = 82,
	D6_OPT_INF_MAX_RT = 83,
	D6_OPT_S46_CONT_MAPE = 94,
	D6_OPT_S46_CONT_MAPT = 95,
	D6_OPT_S46_CONT_LW = 96,
	D6_OPT_CAPTIVE_PORTAL = 103,
	D6_OPT_RELAY_PORT = 135,
};

/* RFC 9915 §21.13 */
enum d6_status {
	D6_STATUS_SUCCESS = 0,
	D6_STATUS_UNSPEC_FAIL = 1,
	D6_STATUS_NO_ADDRS_AVAIL = 2,
	D6_STATUS_NO_BINDING = 3,
	D6_STATUS_NOT_ON_LINK = 4,
	D6_STATUS_NO_PREFIX_AVAIL = 6,
};

#define D6_LFT_INFINITY 0xffffffffU

enum {
	D6_MAX_OPTIONS = 512,   /* options in one message, nested ones included: as many as 2 KiB
				   can hold */
	D6_MAX_IAS = 128,       /* IAs served in one message, likewise */
	D6_MAX_RESOURCES = 80,  /* addresses and prefixes looked at in all of them, likewise */
	D6_ORO_LOW = 256,       /* codes below this are looked up at once */
	D6_HOP_COUNT_LIMIT = 8, /* RFC 9915 §7.6 */
};

enum d6_verdict {
	D6_OK = 0,
	D6_TRUNCATED, /* shorter than its fixed part */
	D6_MALFORMED, /* an option runs over its end, has an impossible length, or stands twice
			 where it may stand once */
	D6_TOO_MANY,  /* more options or nested relays than the bounds above */
	D6_UNKNOWN_TYPE,
};
const char *d6_verdict_name(enum d6_verdict v);
const char *
d6_type_name(uint8_t type); /* "SOLICIT"; "type-N" is never needed: unknown ones give "UNKNOWN" */

struct d6_span {
	const uint8_t *
		bytes; /* NULL: the option is absent. An empty option has bytes != NULL and len 0 */
	uint16_t len;
};

/* One option, its body as a cursor of its own. */
struct d6_opt {
	uint16_t code;
	struct rd body;
};
/* The next option: true with *ret_opt, or false at the clean end or (r->bad) where it runs over the
 * end. */
bool d6_opt_next(struct rd *r, struct d6_opt *ret_opt);

/* An address or prefix in an IA (§21.6, §21.22). An address has plen 128. */
struct d6_resource {
	struct prefix6 prefix; /* whatever was sent behind plen is cleared */
	uint32_t preferred_lft_s;
	uint32_t valid_lft_s;
};

/* IA_NA or IA_PD (§21.4, §21.21). */
struct d6_ia {
	uint16_t code; /* D6_OPT_IA_NA or D6_OPT_IA_PD */
	uint32_t iaid;
	uint32_t t1_s;
	uint32_t t2_s;
	uint8_t n_resources;
	const struct d6_resource *resources; /* the message's */
};

struct d6_msg {
	uint8_t type;
	uint32_t xid;
	struct d6_span client_id;
	struct d6_span server_id;
	bool rapid_commit;
	bool reconf_accept;
	bool has_elapsed;
	uint16_t elapsed_cs;               /* hundredths of a second */
	struct d6_span oro;                /* codes as they were sent; ask d6_oro_has() */
	uint64_t oro_low[D6_ORO_LOW / 64]; /* those of them that are low, as a set */
	struct d6_span fqdn; /* its body; absent, too, where it holds no name (dnsname_formed()) */
	struct d6_span auth;
	struct d6_span user_class;
	struct d6_span vendor_class;
	uint8_t n_ias;
	uint8_t n_resources; /* of all of its IAs */
	struct d6_ia ias[D6_MAX_IAS];
	struct d6_resource resources[D6_MAX_RESOURCES]; /* those of an IA beside each other */
};

/*
 * Parses a message of a client (types SOLICIT to INFORMATION_REQUEST and REPLY), not a relay's.
 * Unknown options are skipped. Whether the type may carry what it carries is the server's business
 * (RFC 9915 §16). Of IAs beyond the first D6_MAX_IAS, of resources beyond the first
 * D6_MAX_RESOURCES and of vendor classes beyond the first only the form is checked. On a verdict
 * other than D6_OK, *ret_msg is not to be read. Elements of ias and resources beyond their counts
 * are indeterminate. The IAs point into the message: it is not to be copied.
 */
enum d6_verdict d6_parse(struct rd packet, struct d6_msg *ret_msg);
/* Whether the client asks for that option (§21.7), in however long a list; the packet must still be
 * there. */
bool d6_oro_has(const struct d6_msg *m, uint16_t code);

/* A RELAY-FORW's or RELAY-REPL's own layer (§9); `message` holds the next one inside. */
struct d6_relay {
	uint8_t type;
	uint8_t hop_count;
	struct in6_addr link_address;
	struct in6_addr peer_address;
	struct d6_span interface_id;
	struct d6_span remote_id;     /* RFC 4649, enterprise number included */
	struct d6_span subscriber_id; /* RFC 4580 */
	struct d6_span linklayer;     /* RFC 6939: hardware type and address */
	bool has_relay_port; /* RFC 8357: the answer goes to the UDP port that it came from */
	uint16_t relay_port; /* the port of the next relay downstream, or 0; echoed */
	struct rd message;
};
enum d6_verdict d6_parse_relay(struct rd packet, struct d6_relay *ret_relay);

/* Writing. An option is opened, filled and closed; closing writes its length. Overflow is sticky in
 * w->full. */
void d6_put_header(struct wr *w, uint8_t type, uint32_t xid);
size_t d6_open(struct wr *w, uint16_t code);
void d6_close(struct wr *w, size_t at);
void d6_put_span(struct wr *w, uint16_t code, const void *bytes, size_t len);
void d6_put_empty(struct wr *w, uint16_t code);
void d6_put_u32(struct wr *w, uint16_t code, uint32_t value);
/* message may be NULL: no text. */
void d6_put_status(struct wr *w, enum d6_status status, const char *message);
void d6_put_in6_list(struct wr *w, uint16_t code, const struct in6_addr *addrs, size_t n);
/* Opens IA_NA or IA_PD with its fixed part; close with d6_close. */
size_t d6_open_ia(struct wr *w, uint16_t code, uint32_t iaid, uint32_t t1_s, uint32_t t2_s);
void d6_put_iaaddr(struct wr *w, const struct in6_addr *a, uint32_t preferred_lft_s,
		   uint32_t valid_lft_s);
/* Opens IAPREFIX (options such as PD_EXCLUDE may follow); close with d6_close. */
size_t d6_open_iaprefix(struct wr *w, const struct prefix6 *p, uint32_t preferred_lft_s,
			uint32_t valid_lft_s);
/* The fixed part of a RELAY-REPL that answers `relay`, with its Interface-Id and Relay Port echoed;
 * then open OPT_RELAY_MSG. */
void d6_put_relay_reply(struct wr *w, const struct d6_relay *relay);
