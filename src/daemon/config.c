/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include "base/cleanup.h"
#include "daemon/config_table.h"
#include "daemon/config_wgconf.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_VALUE_MAX = 65536 };

/* A variable's text while it is being read. */
struct raw {
	char *value;    /* NULL: not given */
	char from[256]; /* how people gave it: "NAME", "NAME_FILE=/run/x" or "provider.conf line 3"
			 */
};

struct reading {
	struct raw *raws; /* beside config_variables */
	struct config c;
	struct config_report *report;
	bool out_of_memory;
	bool *faulty; /* beside config_variables: told already */
};

__attribute__((format(printf, 4, 0))) static void note(struct reading *rd, char ***list, size_t *n,
						       const char *fmt, va_list args)
{
	char *line = NULL;
	char **longer = reallocarray(*list, *n + 1, sizeof **list);
	if (longer)
		*list = longer;
	if (!longer || vasprintf(&line, fmt, args) < 0) {
		rd->out_of_memory = true;
		return;
	}
	(*list)[(*n)++] = line;
}

__attribute__((format(printf, 2, 3))) static void fault(struct reading *rd, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	note(rd, &rd->report->faults, &rd->report->n_faults, fmt, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void warn(struct reading *rd, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	note(rd, &rd->report->warnings, &rd->report->n_warnings, fmt, args);
	va_end(args);
}

/* Every fault ends with an example of the variable's value, as it would stand in an env file. */
static void fault_with_example(struct reading *rd, size_t i, const char *why)
{
	const struct config_variable *v = &config_variables[i];
	const char *name = rd->raws[i].from[0] ? rd->raws[i].from : v->name;
	rd->faulty[i] = true;
	if (v->secret)
		fault(rd, "%s: %s. 'vbng genkey' makes a key", name, why);
	else
		fault(rd, "%s: %s. Example: %s=%s", name, why, v->name, v->example);
}

static size_t find_variable(const char *name, size_t len)
{
	for (size_t i = 0; i < config_n_variables; i++)
		if (strlen(config_variables[i].name) == len &&
		    memcmp(config_variables[i].name, name, len) == 0)
			return i;
	return config_n_variables;
}

static const char *lookup(char *const *env, const char *name)
{
	size_t len = strlen(name);
	for (; *env; env++)
		if (strncmp(*env, name, len) == 0 && (*env)[len] == '=')
			return *env + len + 1;
	return NULL;
}

/* --- where values come from
 * --------------------------------------------------------------------------------- */

static int read_file(const char *path, char **ret_text)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	AUTO_FREE char *text = malloc(FILE_VALUE_MAX + 1);
	if (!text)
		return -ENOMEM;
	size_t n = 0;
	for (;;) {
		ssize_t r = read(fd, text + n, FILE_VALUE_MAX - n);
		if (r < 0)
			return -errno;
		if (r == 0)
			break;
		n += (size_t)r;
		if (n == FILE_VALUE_MAX)
			return -EFBIG;
	}
	text[n] = '\0';
	if (strlen(text) != n)
		return -EILSEQ; /* zero bytes: no text */
	*ret_text = text;
	text = NULL;
	return 0;
}

static void trim_end(char *text, const char *what)
{
	size_t n = strlen(text);
	while (n > 0 && strchr(what, text[n - 1]))
		text[--n] = '\0';
}

/* Env files keep quotes that a shell would take off, and carriage returns of other systems'
 * editors. */
static void clean(struct reading *rd, size_t i)
{
	struct raw *raw = &rd->raws[i];
	size_t n = strlen(raw->value);
	if (n > 0 && raw->value[n - 1] == '\r') {
		warn(rd,
		     "%s: took a carriage return off its end (was the file edited on another "
		     "system?)",
		     raw->from);
		trim_end(raw->value, "\r");
		n = strlen(raw->value);
	}
	if (n >= 2 && (raw->value[0] == '"' || raw->value[0] == '\'') &&
	    raw->value[n - 1] == raw->value[0]) {
		warn(rd, "%s: took the quotes around its value off (env files need none)",
		     raw->from);
		memmove(raw->value, raw->value + 1, n - 2);
		raw->value[n - 2] = '\0';
	}
}

static void take_value(struct reading *rd, size_t i, char *value, const char *from)
{
	struct raw *raw = &rd->raws[i];
	if (!value) {
		rd->out_of_memory = true;
		return;
	}
	raw->value = value;
	snprintf(raw->from, sizeof raw->from, "%s", from);
	clean(rd, i);
	trim_end(raw->value, " \t");
	if (raw->value[0] == '\0') {
		/* `NAME=` in an env file means "not given". */
		free(raw->value);
		raw->value = NULL;
		raw->from[0] = '\0';
	}
}

static void gather_one(struct reading *rd, char *const *env, size_t i, const char *name)
{
	char file_name[96], from[256];
	snprintf(file_name, sizeof file_name, "%s_FILE", name);
	const char *value = lookup(env, name), *path = lookup(env, file_name);
	if (path && !*path)
		path = NULL;
	if (value && path && *value) {
		rd->faulty[i] = true;
		fault(rd, "%s and %s are both given. Keep one", name, file_name);
		return;
	}
	if (value && !path) {
		take_value(rd, i, strdup(value), name);
		return;
	}
	if (!path)
		return;
	char *text = NULL;
	int r = read_file(path, &text);
	if (r < 0 || !text) {
		rd->faulty[i] = true;
		fault(rd, "%s=%s: cannot be read: %s", file_name, path,
		      r == -EILSEQ ? "it is no text" : strerror(-r));
		return;
	}
	trim_end(text, "\r\n");
	snprintf(from, sizeof from, "%s=%.120s", file_name, path);
	take_value(rd, i, text, from);
}

static void gather(struct reading *rd, char *const *env)
{
	for (size_t i = 0; i < config_n_variables; i++)
		gather_one(rd, env, i, config_variables[i].name);
	/* The name that the predecessor gave it. */
	size_t ns = find_variable("DHCPV6_NAMESERVER", strlen("DHCPV6_NAMESERVER"));
	bool given = rd->raws[ns].value != NULL;
	if (given && lookup(env, "DHCPV6_PD_NAMESERVER"))
		fault(rd, "DHCPV6_NAMESERVER and DHCPV6_PD_NAMESERVER are both given, and mean the "
			  "same. Keep one");
	else if (!given)
		gather_one(rd, env, ns, "DHCPV6_PD_NAMESERVER");
}

/* --- names that nobody knows
 * -------------------------------------------------------------------------------- */

static size_t distance(const char *a, size_t n, const char *b)
{
	enum { LONGEST = 64 };
	size_t m = strlen(b), row[LONGEST + 1];
	if (n > LONGEST || m > LONGEST)
		return LONGEST;
	for (size_t j = 0; j <= m; j++)
		row[j] = j;
	for (size_t i = 1; i <= n; i++) {
		size_t diagonal = row[0];
		row[0] = i;
		for (size_t j = 1; j <= m; j++) {
			size_t up = row[j];
			size_t best = diagonal + (a[i - 1] != b[j - 1]);
			best = up + 1 < best ? up + 1 : best;
			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			diagonal = up;
			row[j] = best;
		}
	}
	return row[m];
}

static bool known(const char *name, size_t len)
{
	static const char alias[] = "DHCPV6_PD_NAMESERVER";
	size_t base = len > 5 && memcmp(name + len - 5, "_FILE", 5) == 0 ? len - 5 : len;
	return find_variable(name, len) < config_n_variables ||
	       find_variable(name, base) < config_n_variables ||
	       (base == strlen(alias) && memcmp(name, alias, base) == 0);
}

static void warn_unknown(struct reading *rd, char *const *env)
{
	static const char *const ours[] = { "WIREGUARD_",  "DHCPV6_", "ROUTER_ADVERTISEMENT_",
					    "SUBSCRIBER_", "UPLINK_", "TRANSFER_",
					    "ASSIGNED_",   "DNS_",    "METRICS_",
					    "STATE_",      "LOG_" };
	for (; *env; env++) {
		size_t len = strcspn(*env, "=");
		bool mine = false;
		for (size_t k = 0; k < ARRAY_LEN(ours); k++)
			mine |= strncmp(*env, ours[k], strlen(ours[k])) == 0;
		if (!mine || known(*env, len))
			continue;
		size_t best = 0;
		for (size_t i = 1; i < config_n_variables; i++)
			if (distance(*env, len, config_variables[i].name) <
			    distance(*env, len, config_variables[best].name))
				best = i;
		warn(rd, "%.*s: there is no such variable. Did you mean %s?", (int)len, *env,
		     config_variables[best].name);
	}
}

/* --- the .conf
 * ---------------------------------------------------------------------------------------------- */

static void on_conf_value(void *ctx, const char *variable, const char *value, const char *file,
			  unsigned line)
{
	struct reading *rd = (struct reading *)ctx;
	size_t i = find_variable(variable, strlen(variable));
	char from[256];
	if (rd->raws[i].value || rd->faulty[i])
		return; /* the variable wins */
	snprintf(from, sizeof from, "%.120s line %u (%s)", file, line, variable);
	take_value(rd, i, strdup(value), from);
}

static void on_conf_note(void *ctx, bool is_fault, const char *text)
{
	struct reading *rd = (struct reading *)ctx;
	if (is_fault)
		fault(rd, "%s", text);
	else
		warn(rd, "%s", text);
}

static void read_conf(struct reading *rd)
{
	size_t i = find_variable("WIREGUARD_CONFIG_FILE", strlen("WIREGUARD_CONFIG_FILE"));
	if (!rd->raws[i].value)
		return;
	char *text = NULL;
	int r = read_file(rd->raws[i].value, &text);
	if (r < 0 || !text) {
		fault(rd, "WIREGUARD_CONFIG_FILE=%s: cannot be read: %s", rd->raws[i].value,
		      r == -EILSEQ ? "it is no text" : strerror(-r));
		return;
	}
	wgconf_read(rd->raws[i].value, text, on_conf_value, on_conf_note, rd);
	explicit_bzero(text, strlen(text));
	free(text);
}

/* --- meaning
 * ------------------------------------------------------------------------------------------------
 */

static void preset(struct config *c)
{
	*c = (struct config){
		.wg_keepalive_s = 25,
		.wg_mtu = 1420,
		.n_allowed_ips = 1,
		.allowed_ips = { { .family = AF_INET6 } }, /* ::/0 */
		.link_local = { .s6_addr = { 0xfe, 0x80, [15] = 1 } },
		.host_netns = "/var/run/netns/host",
		.preferred_lft_s = 1800,
		.valid_lft_s = 14400,
		.ia_na = true,
		.rapid_commit = true,
		.ra_other = true,
		.ra_deprecate_on_stop = true,
		.ra_max_interval_s = 600,
		.state_dir = "/var/lib/vbng",
		.log_level = LOG_INFO,
	};
}

static bool given(const struct reading *rd, const char *name)
{
	return rd->raws[find_variable(name, strlen(name))].value != NULL;
}

static bool is_faulty(const struct reading *rd, const char *name)
{
	return rd->faulty[find_variable(name, strlen(name))];
}

static void parse_all(struct reading *rd)
{
	for (size_t i = 0; i < config_n_variables; i++) {
		const struct config_variable *v = &config_variables[i];
		struct why why = { "" };
		if (!rd->raws[i].value)
			continue;
		if (!v->parse)
			warn(rd, "%s: this version does not serve it, it changes nothing", v->name);
		else if (v->parse(rd->raws[i].value, &rd->c, &why) < 0)
			fault_with_example(rd, i, why.text);
	}
	for (size_t i = 0; i < config_n_variables; i++) {
		const struct config_variable *v = &config_variables[i];
		if (v->section != CONFIG_REQUIRED || rd->raws[i].value || rd->faulty[i])
			continue;
		if (!(v->for_tunnel && rd->c.backend == WG_BACKEND_NONE))
			fault_with_example(rd, i, "is missing");
	}
}

static void derive_prefixes(struct reading *rd)
{
	struct config *c = &rd->c;
	if (!c->assigned.plen)
		return; /* told already */
	if (!given(rd, "TRANSFER_PREFIX"))
		c->transfer = prefix6_nth(&c->assigned, 64, 0);
	if (!given(rd, "DHCPV6_PD_PREFIX") && c->assigned.plen < 64)
		c->pd_pool = prefix6_nth(&c->assigned, (uint8_t)(c->assigned.plen + 1), 1);
	if (!given(rd, "DHCPV6_PD_PREFIX") && c->assigned.plen == 64) {
		fault(rd, "ASSIGNED_PREFIX: a /64 is the transfer network, and leaves nothing to "
			  "delegate. Ask the provider for a /60 at the "
			  "least, or set DHCPV6_PD_PREFIX");
		return;
	}
	if (!given(rd, "DHCPV6_PD_DELEGATION_LENGTH"))
		c->pd_len = c->pd_pool.plen <= 56 ? 56 : c->pd_pool.plen <= 60 ? 60 : 64;
}

static void check_prefixes(struct reading *rd)
{
	struct config *c = &rd->c;
	char a[PREFIX6_STRLEN], b[PREFIX6_STRLEN];
	bool pool = c->pd_pool.plen && !is_faulty(rd, "DHCPV6_PD_PREFIX") &&
		    !is_faulty(rd, "DHCPV6_PD_DELEGATION_LENGTH");
	if (!c->assigned.plen)
		return;
	if (pool && c->pd_len < c->pd_pool.plen)
		fault(rd,
		      "DHCPV6_PD_DELEGATION_LENGTH: a /%u does not fit into the pool "
		      "DHCPV6_PD_PREFIX=%s",
		      c->pd_len, prefix6_format(&c->pd_pool, a));
	else if (pool && prefix6_contains(&c->transfer, &c->pd_pool))
		fault(rd,
		      "DHCPV6_PD_PREFIX=%s lies in the transfer network TRANSFER_PREFIX=%s: there "
		      "is nothing left to delegate",
		      prefix6_format(&c->pd_pool, a), prefix6_format(&c->transfer, b));
	if (pool && !prefix6_contains(&c->assigned, &c->pd_pool))
		warn(rd,
		     "DHCPV6_PD_PREFIX=%s is not within ASSIGNED_PREFIX=%s: does the provider "
		     "route it to us?",
		     prefix6_format(&c->pd_pool, a), prefix6_format(&c->assigned, b));
	if (c->transfer.plen && !prefix6_contains(&c->assigned, &c->transfer))
		warn(rd,
		     "TRANSFER_PREFIX=%s is not within ASSIGNED_PREFIX=%s: does the provider route "
		     "it to us?",
		     prefix6_format(&c->transfer, a), prefix6_format(&c->assigned, b));
}

static void check_times(struct reading *rd)
{
	struct config *c = &rd->c;
	if (c->preferred_lft_s > c->valid_lft_s)
		fault(rd,
		      "DHCPV6_PREFERRED_LIFETIME: %u s is more than DHCPV6_VALID_LIFETIME's %u s. "
		      "Example: DHCPV6_PREFERRED_LIFETIME=1800",
		      c->preferred_lft_s, c->valid_lft_s);
	if (!given(rd, "ROUTER_ADVERTISEMENT_MIN_INTERVAL"))
		c->ra_min_interval_s = c->ra_max_interval_s / 3 > 3 ? c->ra_max_interval_s / 3 : 3;
	/* RFC 4861 §6.2.1 */
	if (c->ra_min_interval_s > 3 && c->ra_min_interval_s * 4 > c->ra_max_interval_s * 3)
		fault(rd,
		      "ROUTER_ADVERTISEMENT_MIN_INTERVAL: %u s is more than three quarters of "
		      "ROUTER_ADVERTISEMENT_MAX_INTERVAL's %u s. "
		      "Example: ROUTER_ADVERTISEMENT_MIN_INTERVAL=%u",
		      c->ra_min_interval_s, c->ra_max_interval_s, c->ra_max_interval_s / 3);
	if (!given(rd, "ROUTER_ADVERTISEMENT_LIFETIME"))
		c->ra_lifetime_s = (uint16_t)(3 * c->ra_max_interval_s);
	else if (c->ra_lifetime_s && c->ra_lifetime_s < c->ra_max_interval_s)
		fault(rd,
		      "ROUTER_ADVERTISEMENT_LIFETIME: %u s is less than "
		      "ROUTER_ADVERTISEMENT_MAX_INTERVAL's %u s: subscribers would lose "
		      "their default router between two advertisements. Example: "
		      "ROUTER_ADVERTISEMENT_LIFETIME=1800",
		      c->ra_lifetime_s, c->ra_max_interval_s);
	for (size_t i = 0; i < c->n_ra_routes; i++)
		c->ra_routes[i].lft_s = c->ra_lifetime_s;
}

static void derive_rest(struct reading *rd)
{
	struct config *c = &rd->c;
	struct why why = { "" };
	size_t dns = find_variable("DNS_UPSTREAM", strlen("DNS_UPSTREAM"));
	if (!given(rd, "DHCPV6_NAMESERVER")) {
		const char *text =
			rd->raws[dns].value ? rd->raws[dns].value : config_variables[dns].fallback;
		if (value_addr6_list(text, CONFIG_MAX_NAMESERVERS, c->nameservers,
				     &c->n_nameservers, &why) < 0)
			fault_with_example(rd, dns, why.text);
	}
	if (c->backend != WG_BACKEND_NONE)
		wgkey_public(c->wg_private_key, c->wg_public_key);
	if (c->backend != WG_BACKEND_NONE &&
	    memcmp(c->wg_public_key, c->wg_peer, sizeof c->wg_peer) == 0 &&
	    !is_faulty(rd, "WIREGUARD_PEER"))
		fault(rd, "WIREGUARD_PEER: this is the public key of WIREGUARD_PRIVATE_KEY, our "
			  "own. The provider's is wanted");
}

int config_read(char *const *env, struct config *ret_config, struct config_report *report)
{
	*report = (struct config_report){ 0 };
	struct reading rd = { .report = report };
	rd.raws = calloc(config_n_variables, sizeof *rd.raws);
	rd.faulty = calloc(config_n_variables, sizeof *rd.faulty);
	rd.out_of_memory = !rd.raws || !rd.faulty;
	if (!rd.out_of_memory) {
		preset(&rd.c);
		gather(&rd, env);
		read_conf(&rd);
		parse_all(&rd);
		derive_prefixes(&rd);
		check_prefixes(&rd);
		check_times(&rd);
		derive_rest(&rd);
		warn_unknown(&rd, env);
	}
	for (size_t i = 0; rd.raws && i < config_n_variables; i++) {
		if (rd.raws[i].value)
			explicit_bzero(rd.raws[i].value, strlen(rd.raws[i].value));
		free(rd.raws[i].value);
	}
	free(rd.raws);
	free(rd.faulty);
	int r = rd.out_of_memory ? -ENOMEM : report->n_faults ? -EINVAL : 0;
	if (r == 0)
		*ret_config = rd.c;
	explicit_bzero(&rd.c, sizeof rd.c);
	return r;
}

void config_report_done(struct config_report *report)
{
	for (size_t i = 0; i < report->n_faults; i++)
		free(report->faults[i]);
	for (size_t i = 0; i < report->n_warnings; i++)
		free(report->warnings[i]);
	free(report->faults);
	free(report->warnings);
	*report = (struct config_report){ 0 };
}

/* Takes the entry out of the environment; what stood behind moves up. */
static void unset(char **entry)
{
	/* /proc/PID/environ shows this very memory. */
	char *value = strchr(*entry, '=') + 1;
	explicit_bzero(value, strlen(value));
	for (; *entry; entry++)
		entry[0] = entry[1];
}

void config_wipe_secrets(struct config *c, char **env)
{
	explicit_bzero(c->wg_private_key, sizeof c->wg_private_key);
	explicit_bzero(c->wg_preshared_key, sizeof c->wg_preshared_key);
	while (*env) {
		size_t i = find_variable(*env, strcspn(*env, "="));
		if (i < config_n_variables && config_variables[i].secret && strchr(*env, '='))
			unset(env);
		else
			env++;
	}
}
