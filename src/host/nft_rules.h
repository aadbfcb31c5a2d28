/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The packet filter's rules as text, such as nft(8) would be given. */
#pragma once

#include "base/prefix.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NFT_MAX_TRANSFERS = 8,
	NFT_TABLE_MAX = 32,   /* bytes of a table's name with its NUL */
	NFT_RELAY_RATES = 16, /* how much more than a client a relay may ask */
};

/* What becomes of a packet whose source is not its sender's. */
enum nft_source {
	NFT_SOURCE_OFF,   /* it is not looked at */
	NFT_SOURCE_COUNT, /* it passes */
	NFT_SOURCE_DROP,
	NFT_SOURCE_REJECT, /* dropped, and to be answered with ICMPv6 type 1 code 5 */
};

struct nft_rules {
	char subscriber[IFNAMSIZ];
	char tunnel[IFNAMSIZ]; /* "": there is none */
	bool ethernet;         /* the subscriber interface is; nft_guard_load() says so */
	enum nft_source source;
	bool isolate;
	uint32_t dhcp6_rate;     /* DHCPv6 packets a second of one station; 0: no limit */
	uint8_t usual_len;       /* of delegated prefixes: looked for first */
	struct prefix6 assigned; /* all of ours */
	size_t n_transfers;
	struct prefix6 transfers[NFT_MAX_TRANSFERS]; /* networks on the subscriber link */
	struct in6_addr own[NFT_MAX_TRANSFERS];      /* our address in each: nobody's else */
	uint16_t log_group; /* where wrong sources are reported (host/nflog.h); 0: nowhere */
	/* A service of ours that both sides may reach. family 0: none. */
	struct {
		int family;
		union {
			struct in_addr v4;
			struct in6_addr v6;
		};
		uint16_t tcp_port;
	} open;
};

/* Bytes of a packet that are reported: as many as an ICMPv6 error that quotes it can take (RFC 4443
 * §2.4 c). */
enum { NFT_REPORT_BYTES = 1280 - 40 - 8 };
/* How a report begins: which of the two it is. */
#define NFT_REPORT_FOREIGN "foreign"
#define NFT_REPORT_TAKEN   "taken"

/* The lengths of delegated prefixes that are told apart: from this to NFT_LONGEST_PREFIX. 0: none,
 * sources are not looked at. */
uint8_t nft_rules_shortest(const struct nft_rules *r);

#define NFT_SET_STATIONS  "stations"
#define NFT_SET_ADDRESSES "addresses"
/* A chain that lets nothing from subscribers pass until the rules are there; they remove it. */
#define NFT_CHAIN_GATE "gate"
enum { NFT_SET_NAME_MAX = 16 };
const char *nft_prefixes_name(uint8_t plen, char buf[static NFT_SET_NAME_MAX]);

/* To be freed by the caller. -EINVAL: a name that no rule can hold; -ENOMEM. */
int nft_rules_write(const struct nft_rules *r, const char *table, char **ret_text);
/* Whether an interface's name can stand between nft's quotes. */
bool nft_quotable(const char *name);
