/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What people configure: the environment, line by line; behind a line "%%" a wg-quick .conf, and
 * behind another one the file `reservations`. A first line "+" gives a complete environment that
 * the lines change. Whatever it is: it is taken as a whole, or every fault is told, names a
 * variable, a file or an entry of one, and repeats no key. What is taken can be served, and what is
 * printed of it reads as the same again.
 */
#include "fuzz/fuzz.h"
#include "daemon/advertisement.h"
#include "daemon/config.h"
#include "daemon/config_table.h"
#include "daemon/provisioning.h"
#include "engine/dhcp6_server.h"
#include "engine/ra.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#define PRIVATE "YNqHbfBQKaGvzefSSbpt1vkiOuSs5fCjMQCHs8Nxs2I="
#define PEER    "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg="

enum { ENTRIES_MAX = 160, PRINTED_MAX = 1 << 17, WINDOW = 20, LINK_MTU = 1500, PIECES = 3 };

static char dir[64], conf_path[96], reservations_path[96];

struct env {
	char *entries[ENTRIES_MAX + 1];
	size_t n;
};

/* --- an environment
 * ----------------------------------------------------------------------------------------- */

static void put(struct env *e, char *entry)
{
	size_t len = strcspn(entry, "=") + 1;
	FUZZ_CHECK(entry);
	for (size_t i = 0; i < e->n; i++)
		if (strncmp(e->entries[i], entry, len) == 0) {
			free(e->entries[i]);
			e->entries[i] = entry;
			return;
		}
	if (e->n == ENTRIES_MAX) {
		free(entry);
		return;
	}
	e->entries[e->n++] = entry;
	e->entries[e->n] = NULL;
}

static void put_pair(struct env *e, const char *name, const char *value)
{
	char *entry = NULL;
	FUZZ_CHECK(asprintf(&entry, "%s=%s", name, value) > 0);
	put(e, entry);
}

static void env_done(struct env *e)
{
	for (size_t i = 0; i < e->n; i++)
		free(e->entries[i]);
	*e = (struct env){ 0 };
}

static void complete(struct env *e)
{
	put_pair(e, "WIREGUARD_INTERFACE_SUFFIX", "provider1");
	put_pair(e, "WIREGUARD_PRIVATE_KEY", PRIVATE);
	put_pair(e, "WIREGUARD_PEER", PEER);
	put_pair(e, "WIREGUARD_ADDRESS", "2001:db8::2/64");
	put_pair(e, "WIREGUARD_ENDPOINT", "192.0.2.42:51820");
	put_pair(e, "ASSIGNED_PREFIX", "2001:db8:ffff::/48");
	put_pair(e, "SUBSCRIBER_INTERFACE", "enp2s0");
}

/* Only our own files are read: others would be another machine's input, or wait for ever. */
static bool leads_elsewhere(const char *entry)
{
	size_t len = strcspn(entry, "=");
	return (len >= 5 && memcmp(entry + len - 5, "_FILE", 5) == 0) ||
	       strncmp(entry, "STATE_DIR=", 10) == 0;
}

static void take_lines(struct env *e, char *text)
{
	bool first = true;
	for (char *line; (line = strsep(&text, "\n")); first = false) {
		size_t len = strcspn(line, "=");
		if (first && strcmp(line, "+") == 0)
			complete(e);
		else if (line[len] == '=' && len > 0 && !leads_elsewhere(line))
			put(e, strdup(line));
		else if (line[0] == '-') { /* taken out again */
			for (size_t i = 0; i < e->n; i++)
				if (strncmp(e->entries[i], line + 1, strlen(line + 1)) == 0 &&
				    e->entries[i][strlen(line + 1)] == '=') {
					free(e->entries[i]);
					e->entries[i] = e->entries[--e->n];
					e->entries[e->n] = NULL;
					break;
				}
		}
	}
}

/* --- keys
 * ---------------------------------------------------------------------------------------------------
 */

/* Whether some WINDOW characters of our private key stand in it. */
static bool has_of_key(const char *text)
{
	static const char key[] = PRIVATE;
	char window[WINDOW + 1] = "";
	for (size_t i = 0; i + WINDOW < sizeof key; i++) {
		memcpy(window, key + i, WINDOW);
		if (strstr(text, window))
			return true;
	}
	return false;
}

/* Where people say that it is no key. */
static bool public_entry(const char *entry)
{
	size_t len = strcspn(entry, "=");
	for (size_t i = 0; i < config_n_variables; i++)
		if (config_variables[i].secret && strlen(config_variables[i].name) == len &&
		    memcmp(config_variables[i].name, entry, len) == 0)
			return false;
	return true;
}

static bool public_line(const char *line)
{
	static const char *const settings[] = {
		"Address",    "ListenPort",         "MTU", "PublicKey", "Endpoint",
		"AllowedIPs", "PersistentKeepalive"
	};
	line += strspn(line, " \t\r");
	for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
		size_t n = strlen(settings[i]);
		if (strncasecmp(line, settings[i], n) == 0 &&
		    line[n + strspn(line + n, " \t\r")] == '=')
			return true;
	}
	return false;
}

static bool told_openly(const struct env *e, const char *conf, const char *reservations)
{
	for (size_t i = 0; i < e->n; i++)
		if (public_entry(e->entries[i]) && has_of_key(e->entries[i]))
			return true;
	bool found = reservations && has_of_key(reservations);
	char *copy = strdup(conf ? conf : ""), *rest = copy;
	FUZZ_CHECK(copy);
	for (char *line; (line = strsep(&rest, "\n"));)
		found |= public_line(line) && has_of_key(line);
	free(copy);
	return found;
}

/* --- what is told
 * ------------------------------------------------------------------------------------------- */

static bool names_something(const char *fault)
{
	if (strstr(fault, conf_path) || strstr(fault, reservations_path) ||
	    strstr(fault, "DHCPV6_OPTION_") || strstr(fault, "DHCPV6_PD_NAMESERVER"))
		return true;
	for (size_t i = 0; i < config_n_variables; i++)
		if (strstr(fault, config_variables[i].name))
			return true;
	return false;
}

static void check_report(const struct config_report *report, bool secret)
{
	for (size_t i = 0; i < report->n_faults; i++) {
		FUZZ_CHECK(names_something(report->faults[i]));
		FUZZ_CHECK(!secret || !has_of_key(report->faults[i]));
	}
	for (size_t i = 0; i < report->n_warnings; i++) {
		FUZZ_CHECK(report->warnings[i][0]);
		FUZZ_CHECK(!secret || !has_of_key(report->warnings[i]));
	}
}

/* --- what is taken
 * ------------------------------------------------------------------------------------------ */

static void check_bounds(const struct config *c)
{
	FUZZ_CHECK(c->suffix[0] && strlen(c->suffix) <= CONFIG_SUFFIX_MAX);
	FUZZ_CHECK(c->subscriber[0] && memchr(c->subscriber, '\0', sizeof c->subscriber));
	FUZZ_CHECK(c->n_transfers >= 1 && c->n_transfers <= CONFIG_MAX_TRANSFERS);
	FUZZ_CHECK(prefix6_equal(&c->transfer, &c->transfers[0]) && c->transfer.plen == 64);
	FUZZ_CHECK(c->pd_pool.plen <= c->pd_min_len && c->pd_min_len <= c->pd_len &&
		   c->pd_len <= c->pd_max_len && c->pd_max_len <= 64);
	FUZZ_CHECK(c->preferred_lft_s <= c->valid_lft_s && c->preferred_lft_s > 0);
	FUZZ_CHECK(c->n_nameservers >= 1 && c->n_nameservers <= CONFIG_MAX_NAMESERVERS);
	FUZZ_CHECK(c->ra_min_interval_s >= 3 && c->ra_max_interval_s >= 4 &&
		   4 * c->ra_min_interval_s <= 3 * c->ra_max_interval_s);
	FUZZ_CHECK(c->n_ra_prefixes <= ND_MAX_PREFIXES && c->n_ra_routes <= CONFIG_MAX_ROUTES);
	FUZZ_CHECK(c->host_netns[0] == '/' && c->state_dir[0] == '/');
	FUZZ_CHECK(c->client_limit >= 1);
}

static uint32_t no_random(void *ctx)
{
	(void)ctx;
	return 7;
}

/* Nothing that was taken is refused by those who work by it. */
static void check_served(const struct config *c)
{
	static struct ra ra;
	struct ra_config rc;
	struct dhcp6_config d;
	provisioning_config(c, &d);
	d.own_addr = prefix6_with_iid(&c->transfer, 1);
	d.server_id = (struct duid){ .len = 4, .bytes = { 0, 2, 1, 2 } };
	struct dhcp6_server *server = NULL;
	FUZZ_CHECK(dhcp6_server_new(&d, &server) == 0);
	FUZZ_CHECK(provisioning_reserve(c, server, true) == 0);
	FUZZ_CHECK(dhcp6_server_consistent(server));
	dhcp6_server_free(server);
	advertisement_of(c, LINK_MTU, &rc);
	FUZZ_CHECK(ra_init(&ra, &rc, no_random, NULL) == 0);
}

static size_t print(const struct config *c, char *text)
{
	FILE *out = fmemopen(text, PRINTED_MAX, "w");
	FUZZ_CHECK(out);
	config_print(c, out);
	long n = ftell(out);
	FUZZ_CHECK(n > 0 && n < PRINTED_MAX - 1 && fclose(out) == 0);
	text[n] = '\0';
	FUZZ_CHECK(strlen(text) == (size_t)n);
	return (size_t)n;
}

/* An env file of what was printed, with the keys that it does not tell. */
static void read_printed(struct env *e, const char *printed, const struct config *c)
{
	char *copy = strdup(printed), *rest = copy, key[WGKEY_STRLEN];
	FUZZ_CHECK(copy);
	for (char *line; (line = strsep(&rest, "\n"));) {
		FUZZ_CHECK(!*line || *line == '#' || strchr(line, '='));
		if (*line && *line != '#')
			put(e, strdup(line));
	}
	free(copy);
	if (c->backend == WG_BACKEND_NONE)
		return;
	wgkey_format(c->wg_private_key, key);
	put_pair(e, "WIREGUARD_PRIVATE_KEY", key);
	wgkey_format(c->wg_preshared_key, key);
	if (c->has_preshared_key)
		put_pair(e, "WIREGUARD_PRESHARED_KEY", key);
}

static void check_printed(const struct config *c, bool secret)
{
	static char first[PRINTED_MAX], second[PRINTED_MAX];
	static struct config again;
	static struct env e;
	struct config_report report;
	size_t n = print(c, first);
	FUZZ_CHECK(!secret || !has_of_key(first));
	read_printed(&e, first, c);
	int r = config_read(e.entries, &again, &report);
	if (r < 0 && report.n_faults)
		(void)fprintf(stderr, "%s%s\n", first, report.faults[0]);
	FUZZ_CHECK(r == 0);
	bool same = print(&again, second) == n && memcmp(first, second, n) == 0;
	if (!same)
		(void)fprintf(stderr, "printed:\n%sand then:\n%s", first, second);
	FUZZ_CHECK(same);
	config_report_done(&report);
	env_done(&e);
}

static void check_wiped(struct config *c, struct env *e)
{
	static const uint8_t zeros[WGKEY_LEN];
	config_wipe_secrets(c, e->entries);
	size_t n = 0;
	while (e->entries[n])
		FUZZ_CHECK(public_entry(e->entries[n++]));
	FUZZ_CHECK(memcmp(c->wg_private_key, zeros, sizeof zeros) == 0 &&
		   memcmp(c->wg_preshared_key, zeros, sizeof zeros) == 0);
}

/* --- the target
 * --------------------------------------------------------------------------------------------- */

static void remove_dir(void)
{
	(void)unlink(conf_path);         /* mostly they are not there */
	(void)unlink(reservations_path); /* likewise */
	(void)rmdir(dir);
}

static void set_up(void)
{
	struct stat st;
	const char *tmp = getenv("TMPDIR");
	log_setup(LOG_ERROR, LOG_TEXT, NULL);
	if (!tmp)
		tmp = stat("/dev/shm", &st) == 0 ? "/dev/shm" : "/tmp";
	(void)snprintf(dir, sizeof dir, "%.40s/vbng-fuzz-XXXXXX", tmp);
	FUZZ_CHECK(mkdtemp(dir));
	(void)snprintf(conf_path, sizeof conf_path, "%s/provider.conf", dir);
	(void)snprintf(reservations_path, sizeof reservations_path, "%s/reservations", dir);
	FUZZ_CHECK(atexit(remove_dir) == 0);
}

static void write_file(const char *path, const char *text)
{
	if (!text) {
		FUZZ_CHECK(unlink(path) == 0 || errno == ENOENT);
		return;
	}
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	FUZZ_CHECK(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	(void)close(fd); /* whoever reads it sees what is wrong with it */
}

static void check(struct env *e, const char *conf, const char *reservations)
{
	static struct config c;
	struct config_report report;
	/* Read from a copy: wiping changes what is to be freed. */
	static struct env shown;
	bool secret = !told_openly(e, conf, reservations);
	int r = config_read(e->entries, &c, &report);
	FUZZ_CHECK(r == (report.n_faults ? -EINVAL : 0));
	check_report(&report, secret);
	config_report_done(&report);
	if (r < 0)
		return;
	check_bounds(&c);
	check_served(&c);
	check_printed(&c, secret);
	for (size_t i = 0; i < e->n; i++)
		shown.entries[i] = strdup(e->entries[i]);
	shown.n = e->n;
	struct env all = shown;
	check_wiped(&c, &shown);
	env_done(&all);
	memset(&shown, 0, sizeof shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct env e;
	if (!dir[0])
		set_up();
	char *text = (char *)calloc(1, size + 1), *rest = text, *piece[PIECES] = { NULL };
	FUZZ_CHECK(text);
	if (size > 0)
		memcpy(text, data, size);
	for (size_t i = 0; i < PIECES && rest; i++) {
		piece[i] = rest;
		rest = strstr(rest, "%%\n");
		if (rest) {
			*rest = '\0';
			rest += 3;
		}
	}
	write_file(conf_path, piece[1]);
	write_file(reservations_path, piece[2]);
	take_lines(&e, piece[0]);
	put_pair(&e, "STATE_DIR", dir);
	if (piece[1])
		put_pair(&e, "WIREGUARD_CONFIG_FILE", conf_path);
	check(&e, piece[1], piece[2]);
	env_done(&e);
	free(text);
	return 0;
}
