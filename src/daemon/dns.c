/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/dns.h"

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/dns_lines.h"
#include "engine/names.h"
#include "host/proc.h"
#include "host/rule.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

enum {
	RETRY_MIN_MS = 100,
	RETRY_MAX_MS = 60000,
	LIVED_LONG_ENOUGH_MS = 10000, /* one that lasted so long is started again at once */
	CACHE_NAMES = 5000,           /* about 0.5 MB */
	FORWARDED_MAX = 1000,         /* queries under way; its default is 150 */
	LOCAL_TTL_S = 60,             /* of the zone: names may change hands */
	DNS_PORT = 53,
};

struct dns {
	const struct config *config;
	struct children *children;
	struct loop *loop;
	struct loop_timer *timer;
	struct loop_watch *output_watch;
	void (*changed)(void *ctx);
	void *ctx;
	char ifname[IFNAMSIZ]; /* "": not started yet */
	pid_t pid;             /* 0: none is running */
	uint64_t started_ms, retry_ms, restarts;
	int output_fd; /* what it says; -1 */
	struct dns_lines lines;
};

/* Looked for as child_spawn() will. */
static bool is_there(void)
{
	for (const char *at = DNS_PATH; *at;) {
		size_t n = strcspn(at, ":");
		char path[64];
		snprintf(path, sizeof path, "%.*s/" DNS_PROGRAM, (int)n, at);
		if (access(path, X_OK) == 0)
			return true;
		at += n + (at[n] == ':');
	}
	return false;
}

const char *dns_impossible(const struct config *c)
{
	if (!is_there())
		return "there is no dnsmasq";
	/* In its configuration some characters mean something. */
	for (const char *p = c->subscriber; *p; p++)
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.",
			    *p))
			return "SUBSCRIBER_INTERFACE has a character that dnsmasq does not take";
	return NULL;
}

/* --- its configuration
 * ---------------------------------------------------------------------------------------------- */

/* The reverse zones that hold a prefix: as many as the bits that are no whole digit have values. */
static void put_reverse(FILE *f, const struct prefix6 *p)
{
	unsigned digits = (p->plen + 3U) / 4;
	uint64_t n = 1ULL << (digits * 4 - p->plen);
	for (uint64_t i = 0; i < n; i++) {
		struct prefix6 zone = prefix6_nth(p, (uint8_t)(digits * 4), i);
		fputs("local=/", f);
		for (unsigned d = digits; d-- > 0;)
			fprintf(f, "%x.", zone.addr.s6_addr[d / 2] >> (d % 2 ? 0 : 4) & 0xf);
		fputs("ip6.arpa/\n", f);
	}
}

static void put_zone(FILE *f, const struct config *c)
{
	char text[INET6_ADDRSTRLEN];
	fprintf(f, "local=/%s/\n", c->dns_zone);
	put_reverse(f, &c->assigned);
	if (!prefix6_contains(&c->assigned, &c->pd_pool))
		put_reverse(f, &c->pd_pool);
	for (size_t i = 0; i < c->n_transfers; i++) {
		const struct in6_addr own = prefix6_with_iid(&c->transfers[i], 1);
		if (!prefix6_contains(&c->assigned, &c->transfers[i]))
			put_reverse(f, &c->transfers[i]);
		fprintf(f, "host-record=" NAMES_ROUTER ".%s,%s\n", c->dns_zone,
			in6_format(&own, text));
	}
	fprintf(f, "hostsdir=" DNS_NAMES "\nlocal-ttl=%d\n", LOCAL_TTL_S);
}

int dns_configuration(const struct config *c, const char *ifname, char **ret_text)
{
	char *text = NULL, to[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	if (!f)
		return -ENOMEM;
	/* bind-dynamic: our addresses alone are bound, and what comes to them from another side is
	 * not answered; it follows them when one of them has to change. */
	fprintf(f,
		"# Written by vbng at each start.\n"
		"user=\ngroup=\npid-file=\nlog-facility=-\n"
		"interface=%s\nexcept-interface=lo\nbind-dynamic\n"
		"no-resolv\nno-hosts\nno-ident\ndomain-needed\nbogus-priv\n"
		"cache-size=%d\ndns-forward-max=%d\n",
		ifname, CACHE_NAMES, FORWARDED_MAX);
	/* The address is the tunnel's: a query leaves from there or not at all. */
	if (c->backend != WG_BACKEND_NONE)
		for (size_t i = 0; i < c->n_dns_upstream; i++)
			fprintf(f, "server=%s@%s\n", in6_format(&c->dns_upstream[i], to),
				in6_format(&c->wg_address.addr, from));
	if (c->dns_zone[0])
		put_zone(f, c);
	bool failed = ferror(f) != 0;
	if (fclose(f) != 0 || failed) {
		free(text);
		return -ENOMEM;
	}
	*ret_text = text;
	return 0;
}

static int make_directory(const char *path)
{
	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return -errno;
	return chmod(path, 0755) < 0 ? -errno : 0; /* whatever our umask is */
}

int dns_make_folders(void)
{
	int r = make_directory(DNS_DIRECTORY);
	return r < 0 ? r : make_directory(DNS_NAMES);
}

static int write_configuration(const struct dns *d)
{
	AUTO_FREE char *text = NULL;
	int r = dns_make_folders();
	/* The control socket in it is for root alone, by its own mode. */
	if (r == 0 && children_dnsmasq_uid(d->children) && chmod(DNS_OUR_FOLDER, 0711) < 0)
		r = -errno;
	if (r == 0)
		r = dns_configuration(d->config, d->ifname, &text);
	if (r < 0)
		return r;
	FILE *f = fopen(DNS_CONFIG, "we");
	if (!f)
		return -errno;
	bool failed = fputs(text, f) == EOF || fchmod(fileno(f), 0644) < 0;
	return fclose(f) != 0 || failed ? -EIO : 0;
}

/* --- the way to those whom it asks
 * ---------------------------------------------------------------------------------------------- */

struct route dns_route(unsigned tunnel_ifindex)
{
	return (struct route){ .type = ROUTE_VIA,
			       .oif = tunnel_ifindex,
			       .metric = ROUTE_METRIC_DEFAULT,
			       .table = DNS_TABLE };
}

/* Where the tunnel's route is not there. */
static const struct route nowhere = { .type = ROUTE_UNREACHABLE,
				      .metric = ROUTE_METRIC_UNREACHABLE,
				      .table = DNS_TABLE };

int dns_way_put(const struct config *c, struct route_batch *routes)
{
	int r = route_put(routes, &nowhere, 0);
	int failed = r < 0 ? r : route_commit(routes, NULL, NULL);
	if (failed)
		return failed < 0 ? failed : -EIO;
	return rule_put(&c->wg_address.addr, DNS_PORT, DNS_TABLE);
}

int dns_way_remove(const struct config *c, struct route_batch *routes)
{
	int r = rule_del(&c->wg_address.addr, DNS_PORT, DNS_TABLE);
	int e = route_del(routes, &nowhere, 0);
	if (e == 0)
		e = route_commit(routes, NULL, NULL);
	return r < 0 ? r : e;
}

/* --- the process
 * ---------------------------------------------------------------------------------------------- */

static void on_line(void *ctx, const char *text)
{
	(void)ctx;
	log_debug("dns", "dnsmasq says", kv_str("line", text));
}

static void read_output(struct dns *d)
{
	char bytes[4096];
	ssize_t n = read(d->output_fd, bytes, sizeof bytes);
	if (n > 0)
		dns_lines_read(&d->lines, bytes, (size_t)n, on_line, d);
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	loop_unwatch(d->output_watch); /* it has closed it: it is ending */
	d->output_watch = NULL;
}

static void on_output(void *ctx, int fd)
{
	(void)fd;
	read_output((struct dns *)ctx);
}

static void close_output(struct dns *d)
{
	loop_unwatch(d->output_watch);
	d->output_watch = NULL;
	if (d->output_fd >= 0)
		(void)close(take_fd(&d->output_fd)); /* read only */
	dns_lines_end(&d->lines);
}

static int launch(struct dns *d)
{
	int r = write_configuration(d), output[2];
	if (r < 0)
		return r;
	if (pipe2(output, O_CLOEXEC) < 0)
		return -errno;
	AUTO_CLOSE int theirs = output[1];
	d->output_fd = output[0];
	if (fcntl(d->output_fd, F_SETFL, O_NONBLOCK) < 0)
		r = -errno;
	if (r == 0)
		r = loop_watch_fd(d->loop, d->output_fd, on_output, d, &d->output_watch);
	if (r == 0)
		r = children_start_dnsmasq(d->children, theirs, &d->pid);
	if (r < 0) {
		close_output(d);
		return r;
	}
	d->lines.last[0] = '\0';
	d->started_ms = clock_mono_ms();
	return 0;
}

static uint64_t next_retry(struct dns *d, uint64_t lived_ms)
{
	if (lived_ms >= LIVED_LONG_ENOUGH_MS)
		d->retry_ms = 0;
	return backoff_next(&d->retry_ms, RETRY_MIN_MS, RETRY_MAX_MS);
}

static void run(struct dns *d)
{
	int r = launch(d);
	if (r == -EPIPE)
		return; /* there is nobody any more who starts it: we end, as was said */
	if (r < 0) {
		uint64_t delay = next_retry(d, 0);
		delay = delay ? delay : RETRY_MIN_MS;
		log_error("dns", "the resolver cannot be started, trying again", kv_errno(r),
			  kv_u64("in_ms", delay));
		loop_timer_set(d->timer, delay);
	} else {
		char own[INET6_ADDRSTRLEN];
		const struct in6_addr addr = config_own_resolver(d->config);
		log_info("dns", "resolver started", kv_str("address", in6_format(&addr, own)),
			 kv_str("zone", d->config->dns_zone),
			 kv_u64("uid", children_dnsmasq_uid(d->children)),
			 kv_u64("restarts", d->restarts));
	}
	d->changed(d->ctx);
}

static void run_again(void *ctx)
{
	struct dns *d = (struct dns *)ctx;
	if (d->pid)
		return;
	d->restarts++;
	run(d);
}

/* It serves each TCP connection in a process of its own: none of them is to outlive it. */
static void kill_children(struct dns *d)
{
	(void)children_kill_dnsmasq(d->children); /* mostly there is none left */
}

bool dns_ended(struct dns *d, pid_t pid, int status)
{
	if (!d || pid != d->pid)
		return false;
	kill_children(d);
	d->pid = 0;
	if (d->output_fd >= 0)
		read_output(d);                         /* its last words */
	dns_lines_read(&d->lines, "\n", 1, on_line, d); /* they may lack their end */
	close_output(d);
	uint64_t delay = next_retry(d, clock_mono_ms() - d->started_ms);
	bool killed = WIFSIGNALED(status);
	log_error("dns",
		  killed ? "the resolver was killed, starting it again"
			 : "the resolver ended by itself, starting it again",
		  kv_i64(killed ? "signal" : "status",
			 killed ? WTERMSIG(status) : WEXITSTATUS(status)),
		  kv_str("last_line", d->lines.last), kv_u64("in_ms", delay));
	d->changed(d->ctx);
	loop_timer_set(d->timer, delay);
	return true;
}

int dns_new(struct loop *loop, const struct config *config, struct children *children,
	    void (*changed)(void *ctx), void *ctx, struct dns **ret_dns)
{
	struct dns *d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	*d = (struct dns){ .config = config,
			   .children = children,
			   .loop = loop,
			   .changed = changed,
			   .ctx = ctx,
			   .output_fd = -1 };
	int r = loop_timer_new(loop, run_again, d, &d->timer);
	if (r < 0) {
		dns_free(d);
		return r;
	}
	*ret_dns = d;
	return 0;
}

void dns_free(struct dns *d)
{
	if (!d)
		return;
	loop_timer_free(d->timer);
	close_output(d);
	/* Without a spawner only one of our own user may be killed; another dies with us, and is
	 * not waited for. */
	if (d->pid && (children_kill_dnsmasq(d->children) == 0 || kill(-d->pid, SIGKILL) == 0))
		(void)waitpid(d->pid, NULL, 0); /* a killed child ends */
	free(d);
}

void dns_drop(struct dns *d)
{
	if (d && d->output_fd >= 0)
		(void)close(take_fd(&d->output_fd)); /* init's stays */
}

void dns_start(struct dns *d, const char *ifname)
{
	if (!d || strcmp(d->ifname, ifname) == 0)
		return;
	bool started = d->ifname[0];
	snprintf(d->ifname, sizeof d->ifname, "%s", ifname);
	if (started) {
		if (d->pid && children_end_dnsmasq(d->children) < 0)
			log_warn("dns", "the resolver cannot be told to end, and goes on with the "
					"NIC's former name");
		return;
	}
	run(d);
}

struct message_dns dns_view(const struct dns *d)
{
	return (struct message_dns){ .state = d->pid         ? DNS_UP
					      : d->ifname[0] ? DNS_DOWN
							     : DNS_WAITING,
				     .restarts = d->restarts };
}
