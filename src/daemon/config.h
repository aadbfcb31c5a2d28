/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The environment as one validated struct. Read once, then constant. Every fault is found, not only
 * the first.
 */
#pragma once

#include "base/log.h"
#include "base/prefix.h"
#include "engine/ra.h"
#include "wire/nd.h"
#include "wire/wgkey.h"

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum {
	CONFIG_SUFFIX_MAX = 12,
	CONFIG_MAX_ALLOWED_IPS = 32,
	CONFIG_MAX_NAMESERVERS = 8,
	CONFIG_MAX_RESOLVERS = 8,
	CONFIG_NAME_MAX = 256,
	CONFIG_MAX_SEARCH = 8,
	CONFIG_ZONE_MAX = 189, /* with a label before it, a name has 253 characters at most */
	CONFIG_MAX_ROUTES = 16,
	CONFIG_MAX_TRANSFERS = 8,
	CONFIG_PATH_MAX = 256,
	CONFIG_LISTEN_MAX = 64,
	CONFIG_URI_MAX = 255, /* RFC 8910 §2: longer ones do not fit everywhere */
	CONFIG_OPTION_BYTES = 4096,
	CONFIG_OPTION_TEXT = 16384,
	CONFIG_RESERVATIONS_TEXT = 16384,
};

enum wg_backend { WG_BACKEND_AUTO, WG_BACKEND_KERNEL, WG_BACKEND_USERSPACE, WG_BACKEND_NONE };
enum subscriber_mode {
	SUBSCRIBER_AUTO,
	SUBSCRIBER_MOVE,
	SUBSCRIBER_LOCAL,
	SUBSCRIBER_MACVLAN,
	SUBSCRIBER_VLAN
};

/* What becomes of a subscriber's packet whose source is not its own. */
enum source_filter { SOURCE_DROP, SOURCE_REJECT, SOURCE_COUNT, SOURCE_OFF };

struct ip_prefix {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint8_t plen;
};

/* A DNS server. */
struct dns_server_config {
	int family; /* AF_INET or AF_INET6 */
	union {
		struct in_addr v4;
		struct in6_addr v6;
	};
	uint16_t port; /* host byte order */
};

/* Where something is to listen. */
struct listen_config {
	char text[CONFIG_LISTEN_MAX]; /* as it was given; "": nowhere */
	bool in_host;                 /* in the host's network namespace */
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} at;
};

/* A prefix to be advertised, and what of it was given: the rest follows from other variables. */
struct ra_prefix {
	struct nd_prefix_info info;
	bool on_link_given, autonomous_given, pd_given, valid_given, preferred_given;
};

struct config {
	char suffix[CONFIG_SUFFIX_MAX + 1];
	char tunnel[IFNAMSIZ]; /* wg-<suffix> */

	enum wg_backend backend;
	uint8_t wg_private_key[WGKEY_LEN]; /* wiped by config_wipe_secrets() */
	uint8_t wg_preshared_key[WGKEY_LEN];
	bool has_preshared_key;
	uint8_t wg_peer[WGKEY_LEN];
	uint8_t wg_public_key[WGKEY_LEN]; /* of our private one, for log and status */
	struct prefix6 wg_address;
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} wg_endpoint; /* AF_UNSPEC where it is a name; a zone's index is not known here */
	char wg_endpoint_name[CONFIG_NAME_MAX]; /* "": it is an address */
	char wg_endpoint_zone[IFNAMSIZ];        /* of a link-local one: a NIC of the host's */
	uint16_t wg_endpoint_port;              /* host byte order */
	size_t n_resolvers;                     /* 0: the host's */
	struct dns_server_config resolvers[CONFIG_MAX_RESOLVERS];
	uint16_t wg_listen_port; /* 0: the kernel chooses */
	uint16_t wg_keepalive_s; /* 0: none */
	uint32_t wg_mtu;
	size_t n_allowed_ips;
	struct ip_prefix allowed_ips[CONFIG_MAX_ALLOWED_IPS];

	struct prefix6 assigned;
	struct prefix6 transfer; /* always a /64; addresses are handed out from it */
	size_t n_transfers;
	struct prefix6 transfers[CONFIG_MAX_TRANSFERS]; /* all of them, that one first */
	struct prefix6 pd_pool;
	uint8_t pd_len;
	uint8_t pd_min_len; /* what hints get: min <= pd_len <= max */
	uint8_t pd_max_len;
	uint8_t pd_exclude_len; /* 0: nothing is excluded; as in struct dhcp6_config */
	uint64_t pd_exclude_subnet;

	char subscriber[IFNAMSIZ];
	enum subscriber_mode subscriber_mode;
	uint16_t vlan_id; /* SUBSCRIBER_VLAN */
	struct in6_addr link_local;
	enum source_filter source_filter;
	bool isolation; /* subscribers do not reach one another */
	char host_netns[CONFIG_PATH_MAX];
	bool host_netns_given;

	uint32_t preferred_lft_s;
	uint32_t valid_lft_s;
	bool ia_na;
	bool rapid_commit;
	bool reconfigure;
	uint32_t client_limit;  /* bindings of one client, at least 1 */
	uint32_t station_limit; /* bindings of one link-layer address; 0: no limit */
	uint32_t dhcp6_rate;    /* packets a second of one link-layer address; 0: no limit */
	char reservations[CONFIG_RESERVATIONS_TEXT]; /* as they were given (reservations_text.h) */
	size_t n_nameservers;                        /* announced to subscribers */
	struct in6_addr nameservers[CONFIG_MAX_NAMESERVERS];
	bool resolver; /* our own runs (daemon/dns.h); it is reached at config_own_resolver() */
	size_t n_dns_upstream;
	struct in6_addr dns_upstream[CONFIG_MAX_NAMESERVERS];
	char dns_zone[CONFIG_ZONE_MAX + 1]; /* in lower case, without a final dot; "": none */
	size_t n_search;
	char search[CONFIG_MAX_SEARCH][256];
	size_t options_len; /* options for those who ask, one behind the other as on the wire */
	uint8_t options[CONFIG_OPTION_BYTES];
	char options_text[CONFIG_OPTION_TEXT];   /* the same as NAME=value lines */
	char captive_portal[CONFIG_URI_MAX + 1]; /* empty: none; one of the options, too */

	uint16_t ra_min_interval_s;
	uint16_t ra_max_interval_s;
	uint16_t ra_lifetime_s;
	enum nd_preference ra_preference;
	bool ra_managed;
	bool ra_other;
	bool ra_deprecate_on_stop;
	uint8_t ra_hop_limit; /* 0: not said, as with the next two */
	uint32_t ra_reachable_ms;
	uint32_t ra_retrans_ms;
	bool ra_source_lladdr;
	uint32_t ra_mtu; /* 0: not said */
	bool ra_on_link; /* of transfer networks, as the next */
	bool ra_autonomous;
	bool ra_pd_preferred;
	size_t n_ra_prefixes;
	struct ra_prefix ra_prefixes[ND_MAX_PREFIXES]; /* the transfer networks first */
	size_t n_ra_routes;
	struct nd_route_info ra_routes[CONFIG_MAX_ROUTES];
	bool ra_route_timed[CONFIG_MAX_ROUTES]; /* its lifetime was given */
	uint32_t ra_dns_lifetime_s;
	bool has_pref64;
	struct prefix6 pref64;
	char pvd[CONFIG_NAME_MAX]; /* the provisioning domain's name; empty: none */
	bool pvd_http;
	bool pvd_legacy;
	bool pvd_only;
	uint8_t pvd_delay;
	bool has_pvd_sequence;
	uint16_t pvd_sequence;

	enum ra_uplink_loss uplink_loss;
	uint32_t uplink_loss_delay_s;
	bool has_uplink_probe;
	struct in6_addr uplink_probe;
	uint32_t uplink_probe_interval_s;

	char state_dir[CONFIG_PATH_MAX];
	struct listen_config metrics;
	enum log_level log_level;
	enum log_format log_format;
};

/*
 * Reads `env` (NULL-terminated, "NAME=value") and the files that NAME_FILE and
 * WIREGUARD_CONFIG_FILE name. Faults and warnings go into *report, one line each, ready to be
 * shown: variable, what was wrong with it, an example. Secrets are never in it. 0: *ret_config is
 * complete; -EINVAL: it has faults (ret_config is untouched); -ENOMEM.
 */
struct config_report {
	size_t n_faults;
	size_t n_warnings;
	char **faults;
	char **warnings;
};
int config_read(char *const *env, struct config *ret_config, struct config_report *report);
void config_report_done(struct config_report *report);

/* The effective configuration as NAME=value lines, secrets masked; what `vbng check` prints. */
void config_print(const struct config *c, FILE *out);
/* Markdown tables of every variable, for the README; the same table config_read() works by. */
void config_print_reference(FILE *out);
/* The commented env file of docker/provider.env.example, from that table too. */
void config_print_example(FILE *out);
/* The address at which subscribers ask our own resolver: ours in the transfer network. */
struct in6_addr config_own_resolver(const struct config *c);
/* Our own resolver cannot be had: what is announced is where it would have forwarded to, unless
 * DHCPV6_NAMESERVER says otherwise. */
void config_without_resolver(struct config *c);
/* Overwrites the keys in *c, and in the environment block the values of secret variables, then
 * unsets those. */
void config_wipe_secrets(struct config *c, char **env);
