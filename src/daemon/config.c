/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/config.h"

#include "base/cleanup.h"
#include "daemon/config_check.h"
#include "daemon/config_options.h"
#include "daemon/config_table.h"
#include "daemon/config_wgconf.h"
#include "engine/dhcp6_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	FILE_VALUE_MAX = 65536,
	FILE_WAIT_MS = 2000, /* for what writes into a pipe */
};

/* The variables of which there is one for each option code. */
static const char option_prefix[] = "DHCPV6_OPTION_", option_pattern[] = "DHCPV6_OPTION_<code>";

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

void reading_fault(struct reading *rd, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	note(rd, &rd->report->faults, &rd->report->n_faults, fmt, args);
	va_end(args);
}

void reading_warn(struct reading *rd, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	note(rd, &rd->report->warnings, &rd->report->n_warnings, fmt, args);
	va_end(args);
}

static size_t find_variable(const char *name, size_t len)
{
	for (size_t i = 0; i < config_n_variables; i++)
		if (strlen(config_variables[i].name) == len &&
		    memcmp(config_variables[i].name, name, len) == 0)
			return i;
	return config_n_variables;
}

size_t reading_find(const char *name)
{
	return find_variable(name, strlen(name));
}

bool reading_given(const struct reading *rd, const char *name)
{
	return rd->raws[reading_find(name)].value != NULL;
}

bool reading_faulty(const struct reading *rd, const char *name)
{
	return rd->faulty[reading_find(name)];
}

void reading_fault_of(struct reading *rd, size_t i, const char *why)
{
	const struct config_variable *v =
		&config_variables[i < config_n_variables ? i : reading_find(option_pattern)];
	const char *name = rd->raws[i].from[0] ? rd->raws[i].from : v->name;
	rd->faulty[i] = true;
	if (v->secret)
		reading_fault(rd, "%s: %s. 'vbng genkey' makes a key", name, why);
	else
		reading_fault(rd, "%s: %s. Example: %s=%s", name, why, config_example_name(v),
			      v->example);
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

/* One into which somebody may write in a while is waited for; one that nobody has open is empty. */
static ssize_t read_some(int fd, char *to, size_t most)
{
	for (;;) {
		ssize_t n = read(fd, to, most);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			return n < 0 ? -errno : n;
		struct pollfd readable = { .fd = fd, .events = POLLIN };
		if (poll(&readable, 1, FILE_WAIT_MS) == 0)
			return -ETIMEDOUT;
	}
}

static int read_text(int fd, char *text, size_t *ret_len)
{
	size_t n = 0;
	ssize_t more = 1;
	while (more && n < FILE_VALUE_MAX) {
		more = read_some(fd, text + n, FILE_VALUE_MAX - n);
		if (more < 0)
			return (int)more;
		n += (size_t)more;
	}
	*ret_len = n;
	return n == FILE_VALUE_MAX ? -EFBIG : memchr(text, '\0', n) ? -EILSEQ : 0;
}

static int read_file(const char *path, char **ret_text)
{
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	char *text = malloc(FILE_VALUE_MAX + 1);
	size_t n = 0;
	int r = text ? read_text(fd, text, &n) : -ENOMEM;
	if (r < 0) {
		free(text);
		return r;
	}
	text[n] = '\0';
	*ret_text = text;
	return 0;
}

static const char *read_file_why(int r)
{
	return r == -EILSEQ      ? "it is no text"
	       : r == -ETIMEDOUT ? "it is a pipe, and nobody writes into it"
				 : strerror(-r);
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
		reading_warn(
			rd,
			"%s: took a carriage return off its end (was the file edited on another "
			"system?)",
			raw->from);
		trim_end(raw->value, "\r");
		n = strlen(raw->value);
	}
	if (n >= 2 && (raw->value[0] == '"' || raw->value[0] == '\'') &&
	    raw->value[n - 1] == raw->value[0]) {
		reading_warn(rd, "%s: took the quotes around its value off (env files need none)",
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
		reading_fault(rd, "%s and %s are both given. Keep one", name, file_name);
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
		reading_fault(rd, "%s=%s: cannot be read: %s", file_name, path, read_file_why(r));
		return;
	}
	trim_end(text, "\r\n");
	if (!*text)
		reading_warn(rd, "%s=%s: nothing is in it: as if it was not given", file_name,
			     path);
	snprintf(from, sizeof from, "%s=%.120s", file_name, path);
	take_value(rd, i, text, from);
}

/* How many bytes of an entry are DHCPV6_OPTION_<digits>, with or without _FILE; 0: it is no such
 * variable. */
static size_t option_name_len(const char *entry)
{
	size_t prefix = sizeof option_prefix - 1;
	if (strncmp(entry, option_prefix, prefix) != 0)
		return 0;
	size_t digits = strspn(entry + prefix, "0123456789"), end = prefix + digits;
	bool whole = entry[end] == '=' || strncmp(entry + end, "_FILE=", 6) == 0;
	return digits && whole ? end : 0;
}

static void gather_options(struct reading *rd, char *const *env)
{
	for (; *env; env++) {
		size_t len = option_name_len(*env);
		if (!len)
			continue;
		char name[64];
		snprintf(name, sizeof name, "%.*s", (int)len, *env);
		const char *digits = *env + sizeof option_prefix - 1;
		size_t n_digits = len - (sizeof option_prefix - 1);
		unsigned long code = n_digits <= 5 ? strtoul(digits, NULL, 10) : 0;
		if (code == 0 || code > UINT16_MAX || digits[0] == '0') {
			reading_fault(rd,
				      "%s: this is no option's code; it can be 1 to 65535, without "
				      "zeros before it",
				      name);
			continue;
		}
		bool again = false; /* DHCPV6_OPTION_242_FILE beside DHCPV6_OPTION_242 */
		for (size_t i = config_n_variables; i < rd->n; i++)
			again |= rd->raws[i].code == code;
		if (again)
			continue;
		rd->raws[rd->n].code = (uint16_t)code;
		gather_one(rd, env, rd->n++, name);
	}
}

static void gather(struct reading *rd, char *const *env)
{
	for (size_t i = 0; i < config_n_variables; i++)
		gather_one(rd, env, i, config_variables[i].name);
	/* The name that the predecessor gave it. */
	size_t ns = reading_find("DHCPV6_NAMESERVER");
	bool given = rd->raws[ns].value != NULL;
	if (given && lookup(env, "DHCPV6_PD_NAMESERVER"))
		reading_fault(
			rd,
			"DHCPV6_NAMESERVER and DHCPV6_PD_NAMESERVER are both given, and mean the "
			"same. Keep one");
	else if (!given)
		gather_one(rd, env, ns, "DHCPV6_PD_NAMESERVER");
	gather_options(rd, env);
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
					    "STATE_",      "LOG_",    "SOURCE_" };
	for (; *env; env++) {
		size_t len = strcspn(*env, "=");
		bool mine = false;
		for (size_t k = 0; k < ARRAY_LEN(ours); k++)
			mine |= strncmp(*env, ours[k], strlen(ours[k])) == 0;
		if (!mine || known(*env, len) || option_name_len(*env))
			continue;
		size_t best = 0;
		for (size_t i = 1; i < config_n_variables; i++)
			if (distance(*env, len, config_variables[i].name) <
			    distance(*env, len, config_variables[best].name))
				best = i;
		reading_warn(rd, "%.*s: there is no such variable. Did you mean %s?", (int)len,
			     *env, config_variables[best].name);
	}
}

/* --- the .conf
 * ---------------------------------------------------------------------------------------------- */

static void on_conf_value(void *ctx, const char *variable, const char *value, const char *file,
			  unsigned line)
{
	struct reading *rd = (struct reading *)ctx;
	size_t i = reading_find(variable);
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
		reading_fault(rd, "%s", text);
	else
		reading_warn(rd, "%s", text);
}

static void read_conf(struct reading *rd)
{
	size_t i = reading_find("WIREGUARD_CONFIG_FILE");
	if (!rd->raws[i].value)
		return;
	char *text = NULL;
	int r = read_file(rd->raws[i].value, &text);
	if (r < 0 || !text) {
		reading_fault(rd, "WIREGUARD_CONFIG_FILE=%s: cannot be read: %s", rd->raws[i].value,
			      read_file_why(r));
		return;
	}
	wgconf_read(rd->raws[i].value, text, on_conf_value, on_conf_note, rd);
	explicit_bzero(text, strlen(text));
	free(text);
}

struct in6_addr config_own_resolver(const struct config *c)
{
	return prefix6_with_iid(&c->transfer, 1);
}

void config_without_resolver(struct config *c)
{
	const struct in6_addr own = config_own_resolver(c);
	size_t n = 0;
	for (size_t i = 0; i < c->n_nameservers; i++)
		if (!IN6_ARE_ADDR_EQUAL(&c->nameservers[i], &own))
			c->nameservers[n++] = c->nameservers[i];
	if (n == 0) {
		memcpy(c->nameservers, c->dns_upstream, sizeof c->nameservers);
		n = c->n_dns_upstream;
	}
	c->n_nameservers = n;
	c->resolver = false;
}

/* --- meaning
 * ------------------------------------------------------------------------------------------------
 */

static void preset(struct config *c)
{
	*c = (struct config){
		.wg_keepalive_s = 25,
		.uplink_loss_delay_s = 3,
		.uplink_probe_interval_s = 5,
		.wg_mtu = 1420,
		.n_allowed_ips = 1,
		.allowed_ips = { { .family = AF_INET6 } }, /* ::/0 */
		.link_local = { .s6_addr = { 0xfe, 0x80, [15] = 1 } },
		.host_netns = "/var/run/netns/host",
		.preferred_lft_s = 1800,
		.valid_lft_s = 14400,
		.ia_na = true,
		.rapid_commit = true,
		.reconfigure = true,
		.client_limit = D6_DEFAULT_MAX_BINDINGS,
		.station_limit = D6_DEFAULT_STATION_LIMIT,
		.dhcp6_rate = 1000,
		.ra_other = true,
		.ra_deprecate_on_stop = true,
		.ra_max_interval_s = 600,
		.ra_hop_limit = 64,
		.ra_source_lladdr = true,
		.ra_on_link = true,
		.ra_autonomous = true,
		.state_dir = "/var/lib/vbng",
		.log_level = LOG_INFO,
	};
}

static void judge(struct reading *rd, size_t i, int result, const struct why *why)
{
	if (result < 0)
		reading_fault_of(rd, i, why->text);
	else if (why->warning[0])
		reading_warn(rd, "%s: %s", rd->raws[i].from, why->warning);
}

/* How people gave an option, for config_print(): its bytes do not tell. */
static void keep_text(struct reading *rd, size_t i, const char *name)
{
	size_t at = strlen(rd->c.options_text), room = sizeof rd->c.options_text - at;
	if (rd->faulty[i])
		return;
	/* A file's value may have several lines. */
	for (char *p = rd->raws[i].value; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
	int n = snprintf(rd->c.options_text + at, room, "%s=%s\n", name, rd->raws[i].value);
	if (n < 0 || (size_t)n >= room) {
		rd->c.options_text[at] = '\0';
		reading_fault_of(rd, i, "is too long");
	}
}

static void parse_all(struct reading *rd)
{
	for (size_t i = 0; i < config_n_variables; i++) {
		const struct config_variable *v = &config_variables[i];
		struct why why = { .text = "" };
		if (!rd->raws[i].value)
			continue;
		judge(rd, i, v->parse(rd->raws[i].value, &rd->c, &why), &why);
		if (v->kind == CONFIG_DHCP6)
			keep_text(rd, i, v->name);
	}
	for (size_t i = config_n_variables; i < rd->n; i++) {
		struct why why = { .text = "" };
		char name[64];
		if (!rd->raws[i].value)
			continue;
		judge(rd, i, option_raw(rd->raws[i].code, rd->raws[i].value, &rd->c, &why), &why);
		snprintf(name, sizeof name, "%s%u", option_prefix, rd->raws[i].code);
		keep_text(rd, i, name);
	}
	for (size_t i = 0; i < config_n_variables; i++) {
		const struct config_variable *v = &config_variables[i];
		if (v->section != CONFIG_REQUIRED || rd->raws[i].value || rd->faulty[i])
			continue;
		if (!(v->kind == CONFIG_FOR_TUNNEL && rd->c.backend == WG_BACKEND_NONE))
			reading_fault_of(rd, i, "is missing");
	}
}

int config_read(char *const *env, struct config *ret_config, struct config_report *report)
{
	*report = (struct config_report){ 0 };
	struct reading rd = { .n = config_n_variables, .report = report };
	size_t n_most = config_n_variables;
	for (size_t i = 0; env[i]; i++)
		n_most += option_name_len(env[i]) > 0;
	rd.raws = calloc(n_most, sizeof *rd.raws);
	rd.faulty = calloc(n_most, sizeof *rd.faulty);
	rd.out_of_memory = !rd.raws || !rd.faulty;
	if (!rd.out_of_memory) {
		preset(&rd.c);
		gather(&rd, env);
		read_conf(&rd);
		parse_all(&rd);
		config_check(&rd);
		warn_unknown(&rd, env);
	}
	for (size_t i = 0; rd.raws && i < rd.n; i++) {
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
