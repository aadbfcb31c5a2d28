/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/init.h"

#include "base/backoff.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ratelimit.h"
#include "base/siphash.h"
#include "control/client.h"
#include "daemon/children.h"
#include "daemon/config.h"
#include "daemon/dns.h"
#include "daemon/fib.h"
#include "daemon/filter.h"
#include "daemon/inbox.h"
#include "daemon/message.h"
#include "daemon/preflight.h"
#include "daemon/server.h"
#include "daemon/settings.h"
#include "daemon/subscriber.h"
#include "daemon/tally.h"
#include "daemon/tunnel.h"
#include "daemon/tunnel_watch.h"
#include "daemon/undo.h"
#include "daemon/uplink.h"
#include "host/loop.h"
#include "host/nflog.h"
#include "host/nft.h"
#include "host/priv.h"
#include "host/proc.h"
#include "host/route.h"
#include "host/seccomp.h"
#include "host/secret.h"
#include "host/tcp.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum {
	SENTENCE_MAX = 640,
	STOP_LIMIT_MS = 1200, /* for the server's farewell; with the undoing it all stays below 2 s,
				 and 4 s where a manager of the host has the NIC */
	FIB_LIMIT_MS = 1000,  /* after which it is told that no server can begin yet */
	FIB_REMIND_MS = 10000, /* and how often then */
	KILL_LIMIT_MS = 500, /* for one that is killed: the kernel waits for its disk, we do not */
	TELL_AGAIN_MS = 100,
	PAUSE_MS = 5, /* between two looks while something is waited for in boot */
	RETRY_MIN_MS = 100,
	RETRY_MAX_MS = 5000,
	LIVED_LONG_ENOUGH_MS = 10000, /* a server that lasted so long is made again at once */
	SERVED_MS = 100, /* one that served is, too, where it did so for as long; else then */
	TELL_LOG_EVERY_S = 60,
	CONTROL_BACKLOG = 16,
};

extern char **environ;

struct appliance {
	const char *version;
	struct config config;
	uint8_t pool_key[16];
	uint64_t started_at_ms;
	struct undo undo;
	struct preflight at; /* namespaces and rtnetlink sockets */
	struct route_batch *routes;
	struct children *children;
	struct tunnel tunnel;
	struct uplink_watch *uplink;
	struct tunnel_watch *tunnel_watch; /* NULL where there is no tunnel */
	struct subscriber sub;
	struct dns *dns;         /* NULL: our own resolver is not to run */
	bool dns_absent;         /* it cannot */
	bool dns_way;            /* its queries have a routing table */
	struct nft_guard *guard; /* NULL where the kernel has none */
	uint8_t shortest;        /* prefix that the filter tells apart; 0: it knows no sources */
	uint64_t gated_at_ms;    /* since then nothing is forwarded from subscribers */
	int nflog_fd;
	int control_fd;
	int metrics_fd;

	struct loop *loop;
	struct loop_timer *pause_timer;
	struct loop_timer *stop_timer;
	struct loop_timer *server_timer;
	struct loop_timer *tell_timer; /* what the server did not take */
	struct loop_timer *replace_timer;
	struct inbox *inbox;       /* what the server says */
	struct ratelimit log_told; /* what it does not listen to */
	struct loop_watch *guard_watch;
	struct loop_watch *refused_watch;

	pid_t server_pid; /* 0: none is running */
	int server_fd;    /* our end of the socket pair, -1 */
	pid_t fib_pid;    /* of the process that changes routes for it; 0: none is running */
	bool server_due;  /* once that has ended, too */
	uint64_t server_started_ms;
	uint64_t server_retry_ms;
	uint64_t server_restarts;
	bool server_ready;
	uint64_t server_ready_ms;     /* since when it is, or the one before it was */
	struct tally *tally;          /* what servers count, and the next goes on with */
	struct intake_memory *intake; /* what they have read and not answered, likewise */
	uint64_t server_ended_ms;     /* when the one before it was gone; 0: it is the first */
	bool store_sound;             /* the latest one that was read all of its database */
	bool replace_server; /* the NIC is another: it ends, and the next has sockets on that */
	bool serving_told;
	bool guard_loaded;

	bool stopping;
	bool crippled; /* the end is that a child cannot be started any more */
	bool stop_overdue;
	bool server_farewell; /* the server ended by itself, with status 0 */
	bool server_overdue;  /* it did not end, and was killed */
};

/* One failure, one line: a sentence. Returns the exit code that the errno means. */
__attribute__((format(printf, 2, 3))) static int boot_failed(int r, const char *fmt, ...)
{
	char sentence[SENTENCE_MAX];
	va_list args;
	va_start(args, fmt);
	(void)vsnprintf(sentence, sizeof sentence, fmt, args); /* cut where it is longer */
	va_end(args);
	log_error("boot", sentence, kv_errno(r));
	switch (r) {
	case -EPERM:
	case -EACCES:
	case -EROFS:
		return EX_NOPERM;
	case -ENOMEM:
	case -ENOTRECOVERABLE:
	case -EINVAL:
	case -EPROTO:
		return EX_SOFTWARE;
	default:
		return EX_UNAVAILABLE;
	}
}

static void log_fault(const char *sentence)
{
	log_error("boot", sentence);
}

/* In boot, things are waited for in straight-line code: one turn of the loop, at most PAUSE_MS
 * long. False: we are to stop. */
static bool boot_pause(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	loop_timer_set(a->pause_timer, PAUSE_MS);
	loop_step(a->loop);
	loop_timer_stop(a->pause_timer);
	return !a->stopping;
}

static void on_pause(void *ctx)
{
	(void)ctx; /* waking up is all */
}

/* --- the server
 * -------------------------------------------------------------------------------------------- */

static void server_tell(struct appliance *a, const struct message *m)
{
	if (a->server_fd < 0)
		return;
	int r = message_send(a->server_fd, m);
	if (r == 0 || r == -EPIPE)
		return;
	/* The bucket counts in seconds, which are to be longer ones here. */
	if (ratelimit_allow(&a->log_told, clock_mono_ms() / TELL_LOG_EVERY_S, NULL))
		log_warn("init", "the server does not take a message, it will be told again",
			 kv_errno(r), kv_u64("message", (uint64_t)m->type),
			 kv_u64("every_ms", TELL_AGAIN_MS));
	loop_timer_set(a->tell_timer, TELL_AGAIN_MS);
}

static struct message link_message(const struct appliance *a)
{
	return (struct message){ .type = MESSAGE_LINK, .link = a->sub.link };
}

static struct message uplink_message(const struct appliance *a)
{
	struct message m;
	uplink_watch_message(a->uplink, &m);
	return m;
}

static struct message dns_message(const struct appliance *a)
{
	struct message m = { .type = MESSAGE_DNS };
	if (a->dns)
		m.dns = dns_view(a->dns);
	else
		m.dns.state = a->dns_absent ? DNS_ABSENT : DNS_OFF;
	return m;
}

static void tell_link(struct appliance *a)
{
	if (!a->server_ready)
		return;
	const struct message m = link_message(a);
	server_tell(a, &m);
}

static void tell_uplink(struct appliance *a)
{
	const struct message m = uplink_message(a);
	server_tell(a, &m);
}

static void tell_dns(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	const struct message m = dns_message(a);
	server_tell(a, &m);
}

static void tell_again(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	if (!a->server_ready)
		return; /* it is told when it is */
	tell_uplink(a);
	tell_link(a);
	tell_dns(a);
}

static const char unguarded[] =
	"the kernel's packet filter cannot be used, going on without: a subscriber can send from "
	"any source address and reaches whatever listens here, and what it sends into an unused "
	"part of its own delegated prefix is sent back to it";

static void on_guard(void *ctx, int fd)
{
	struct appliance *a = (struct appliance *)ctx;
	char why[NFT_WHY_MAX];
	(void)fd; /* the guard's, which closes it with the verdict: so it is unwatched before */
	loop_unwatch(a->guard_watch);
	a->guard_watch = NULL;
	int r = nft_guard_verdict(a->guard, why);
	if (r < 0) {
		log_warn("init", unguarded, kv_errno(r), kv_str("why", why));
		return;
	}
	if (r == NFT_UNREPORTED)
		log_warn("init",
			 "the kernel cannot report wrong sources: they are counted, nobody sees "
			 "whose "
			 "they are",
			 kv_str("why", why));
	log_debug("init", "the packet filter's rules are in force",
		  kv_str("table", nft_guard_table(a->guard)),
		  kv_u64("nothing_was_forwarded_ms", clock_mono_ms() - a->gated_at_ms));
}

/* While duplicate address detection runs; nobody is forwarded until the rules are there. */
static void load_guard(struct appliance *a)
{
	if (!a->guard || a->guard_loaded)
		return;
	a->guard_loaded = true;
	int r = nft_guard_load(a->guard, a->sub.nic.link.name, a->sub.dhcp6_frames != NULL);
	if (r == 0)
		r = loop_watch_fd(a->loop, nft_guard_fd(a->guard), on_guard, a, &a->guard_watch);
	if (r < 0) {
		log_warn("init", unguarded, kv_errno(r));
		(void)nft_guard_let_pass(a->guard); /* what failed is told already */
	}
}

static int undo_dns_way(void *arg)
{
	struct appliance *a = (struct appliance *)arg;
	return dns_way_remove(&a->config, a->routes);
}

/* Once subscribers are served, as load_guard(). */
static void start_dns(struct appliance *a)
{
	if (!a->dns)
		return;
	if (!a->dns_way && a->config.backend != WG_BACKEND_NONE) {
		a->dns_way = true;
		undo_push(&a->undo, "remove the way of the resolver's queries", undo_dns_way, a);
		int r = dns_way_put(&a->config, a->routes);
		if (r < 0)
			log_warn("dns",
				 "the kernel has no routing table for the resolver's queries: more "
				 "specific routes of the container's may lead them past the tunnel",
				 kv_errno(r));
	}
	dns_start(a->dns, a->sub.nic.link.name);
}

static bool on_server_message(void *ctx, const struct message *m)
{
	struct appliance *a = (struct appliance *)ctx;
	switch (m->type) {
	case MESSAGE_READY:
		if (a->server_ready)
			return false;
		a->server_ready = true;
		a->server_ready_ms = clock_mono_ms();
		if (a->server_ended_ms)
			log_info("init", "another server serves",
				 kv_u64("after_ms", a->server_ready_ms - a->server_ended_ms));
		tell_again(a); /* what has changed since it was forked */
		return true;
	case MESSAGE_SERVING:
		if (a->serving_told)
			return true;
		a->serving_told = true;
		log_info("init", "serving", kv_str("interface", a->sub.nic.link.name),
			 kv_u64("since_start_ms", clock_mono_ms() - a->started_at_ms));
		start_dns(a);
		memory_settle();
		return true;
	case MESSAGE_CONTESTED:
		subscriber_contested(&a->sub);
		return true;
	case MESSAGE_UPLINK_ASK:
		tunnel_watch_look(a->tunnel_watch);
		return true;
	default:
		return false;
	}
}

/* One of ours that is not reaped is there; 0 is none. */
static void kill_child(pid_t pid)
{
	if (pid > 0)
		(void)kill(pid, SIGKILL);
}

/* Whatever has become of it, the next one is sound. */
static void on_server_wrong(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	if (!a->server_pid)
		return;
	log_error("init", "the server says what it should not, killing it");
	kill_child(a->server_pid);
}

static int server_child(struct appliance *a, int fd, struct fib *fib, pid_t init_pid)
{
	int r = child_settle(init_pid);
	if (r < 0)
		return EX_OSERR;
	loop_free(a->loop); /* with init's handling of signals */
	const struct message news[SERVER_NEWS] = { uplink_message(a), link_message(a),
						   dns_message(a) };
	/* A terminal's ^C reaches the whole group, but the order to stop comes from init. */
	(void)signal(SIGINT, SIG_IGN); /* cannot fail for these */
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGPIPE, SIG_IGN);
	fib_be_server(fib);
	tunnel_done(&a->tunnel);     /* the keys are zeros here */
	children_free(a->children);  /* init's business */
	route_batch_free(a->routes); /* likewise: whoever reads there takes init's answers away */
	seccomp_drop_reports();
	preflight_done(&a->at);
	settings_drop();
	subscriber_drop(&a->sub);
	char mode[NIC_MODE_MAX];
	nft_guard_drop(a->guard);
	uplink_watch_drop(a->uplink);
	dns_drop(a->dns);
	tunnel_watch_drop(a->tunnel_watch);
	const struct server_params p = {
		.config = &a->config,
		.version = a->version,
		.init_fd = fd,
		.control_fd = a->control_fd,
		.metrics_fd = a->metrics_fd,
		.dhcp6_sock = a->sub.dhcp6_sock,
		.dhcp6_frames = a->sub.dhcp6_frames,
		.nd_sock = a->sub.nd_sock,
		.fib = fib,
		.nflog_fd = a->nflog_fd,
		.ifname = a->sub.nic.link.name,
		.subscriber_mode = nic_mode(&a->sub.nic, &a->config, mode),
		.backend = tunnel_backend(&a->tunnel),
		.pool_key = a->pool_key,
		.lladdr = a->sub.nic.link.lladdr,
		.lladdr_len = a->sub.nic.link.lladdr_len,
		.mtu = a->sub.nic.link.mtu,
		.transfer_addr = a->sub.transfer_addrs[0],
		.started_at_ms = a->started_at_ms,
		.restarts = a->server_restarts,
		.tally = a->tally,
		.intake = a->intake,
		.sound = a->store_sound,
		.news = { news[0], news[1], news[2] },
	};
	return server_run(&p);
}

/* What may be changed for a server, as far as it is known now. */
static struct fib_bounds fib_bounds_of(const struct appliance *a)
{
	const struct config *c = &a->config;
	struct fib_bounds b = { .ifindex = a->sub.nic.link.ifindex,
				.delegable = { c->assigned, c->pd_pool },
				.n_on_link = c->n_transfers };
	static_assert((int)CONFIG_MAX_TRANSFERS <= (int)FIB_ON_LINK_MAX, "some are forgotten");
	memcpy(b.on_link, c->transfers, c->n_transfers * sizeof b.on_link[0]);
	if (a->guard)
		(void)snprintf(b.table, sizeof b.table, "%s", nft_guard_table(a->guard)); /* fits */
	/* No Ethernet: no stations to be told apart. */
	b.shortest = a->sub.dhcp6_frames ? a->shortest : 0;
	return b;
}

static void forget_keys(void *ctx);

static int server_start(struct appliance *a)
{
	int pair[2] = { -1, -1 };
	struct fib *fib = NULL;
	const struct fib_bounds bounds = fib_bounds_of(a);
	int r = intake_memory_next(a->intake);
	if (r == 0)
		r = fib_new(&bounds, &fib);
	if (r == 0 &&
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		r = -errno;
	if (r < 0) {
		fib_free(fib);
		return r;
	}
	pid_t self;
	pid_t pid = child_fork(CHILD_OF_US, &self);
	if (pid == 0) {
		(void)close(pair[0]); /* init's end */
		_exit(server_child(a, pair[1], fib, self));
	}
	if (pid >= 0)
		intake_memory_passed_on(a->intake);
	r = pid < 0 ? (int)pid : fib_fork(fib, forget_keys, a, &a->fib_pid);
	fib_free(fib);        /* theirs, from now on: without the other either of them ends */
	(void)close(pair[1]); /* the server's end */
	const struct inbox_calls calls = { .ctx = a,
					   .on_message = on_server_message,
					   .on_wrong = on_server_wrong };
	if (r == 0)
		r = inbox_new(a->loop, pair[0], &calls, &a->inbox);
	if (r < 0) {
		(void)close(pair[0]); /* with it a server that was forked notices, and ends */
		return r;
	}
	a->server_pid = pid;
	a->server_fd = pair[0];
	a->server_ready = false;
	a->server_started_ms = clock_mono_ms();
	return 0;
}

static uint64_t next_retry(uint64_t *retry_ms, uint64_t lived_ms)
{
	if (lived_ms >= LIVED_LONG_ENOUGH_MS) {
		*retry_ms = 0;
		return 0;
	}
	return backoff_next(retry_ms, RETRY_MIN_MS, RETRY_MAX_MS);
}

/* On the NIC that is there now. One that is gone once more leaves the old sockets, on which nothing
 * comes; the next that is there replaces the server again. */
static int replace_sockets(struct appliance *a, const char **ret_why)
{
	if (!a->replace_server)
		return 0;
	int r = subscriber_open_sockets(&a->sub, ret_why);
	if (r < 0 && !(a->sub.nic.gone && a->sub.dhcp6_sock))
		return r;
	a->replace_server = false;
	a->serving_told = false;
	loop_timer_stop(a->replace_timer);
	return 0;
}

static void server_again(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	if (a->stopping || a->server_pid)
		return;
	const bool waited = a->server_due;
	a->server_due = a->fib_pid != 0; /* what it is still doing would be behind our back */
	if (a->server_due) {
		if (waited)
			log_warn("init",
				 "no other server yet: the process that sets routes was killed and "
				 "is "
				 "still there, as where the kernel does not answer it",
				 kv_i64("pid", a->fib_pid));
		loop_timer_set(a->server_timer, waited ? FIB_REMIND_MS : FIB_LIMIT_MS);
		return;
	}
	const char *why = "";
	a->server_restarts += !a->replace_server;
	int r = replace_sockets(a, &why);
	if (r == 0)
		r = server_start(a);
	if (r == 0)
		return;
	uint64_t delay = next_retry(&a->server_retry_ms, 0);
	log_error("init", "cannot start the server, trying again", kv_errno(r), kv_str("why", why),
		  kv_u64("retry_ms", delay));
	loop_timer_set(a->server_timer, delay ? delay : RETRY_MIN_MS);
}

/*
 * Ever longer pauses are for one that cannot start. One that served has subscribers waiting in its
 * sockets: it is made again at once, however often, and at most ten times a second.
 */
static uint64_t server_pause(struct appliance *a, bool served)
{
	uint64_t now_ms = clock_mono_ms();
	if (!served)
		return next_retry(&a->server_retry_ms, now_ms - a->server_started_ms);
	a->server_retry_ms = 0;
	uint64_t for_ms = now_ms - a->server_ready_ms;
	return for_ms < SERVED_MS ? SERVED_MS - for_ms : 0;
}

static void server_ended(struct appliance *a, int status)
{
	a->server_pid = 0;    /* it was reaped: its number may be another's by now */
	inbox_read(a->inbox); /* whether it was ready before it ended */
	bool served = a->server_ready;
	inbox_free(take_ptr(&a->inbox));
	(void)close(take_fd(&a->server_fd)); /* the other end is gone */
	a->server_ready = false;
	a->server_ended_ms = clock_mono_ms();
	a->store_sound = served;
	a->server_farewell = WIFEXITED(status) && WEXITSTATUS(status) == 0;
	kill_child(a->fib_pid);
	if (a->stopping)
		return;
	if (a->replace_server) {
		server_again(a);
		return;
	}
	uint64_t delay = server_pause(a, served);
	if (WIFSIGNALED(status))
		log_error("init", "the server was killed, starting it again",
			  kv_i64("signal", WTERMSIG(status)), kv_u64("in_ms", delay));
	else
		log_error("init", "the server ended by itself, starting it again",
			  kv_i64("status", WEXITSTATUS(status)), kv_u64("in_ms", delay));
	if (delay == 0)
		server_again(a);
	else
		loop_timer_set(a->server_timer, delay);
}

/* Nobody does for a server what it may not do itself: it ends, too, whatever it is doing. */
static void fib_ended(struct appliance *a, int status)
{
	a->fib_pid = 0;
	if (a->server_due) {
		server_again(a);
		return;
	}
	if (!a->server_pid || a->stopping || a->replace_server)
		return;
	/* Without a fault it ends when the server's end is closed: then that is what ends. */
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_error("init", "the process that sets routes ended, the server ends with it",
			  kv_i64(WIFSIGNALED(status) ? "signal" : "status",
				 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
	kill_child(a->server_pid);
}

/* --- the tunnel
 * -------------------------------------------------------------------------------------------- */

static void on_uplink_change(void *ctx, enum uplink_state from, enum uplink_state to)
{
	struct appliance *a = (struct appliance *)ctx;
	(void)from; /* the server counts for itself */
	tunnel_watch_uplink(a->tunnel_watch, to);
	tell_uplink(a);
}

static void on_uplink_loss(void *ctx, bool lost)
{
	(void)lost; /* it is in what the server is told */
	tell_uplink((struct appliance *)ctx);
}

static void on_tunnel_looked(void *ctx)
{
	tell_uplink((struct appliance *)ctx); /* its bytes and its handshake change all the time */
}

static void forget_keys(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	explicit_bzero(a->pool_key, sizeof a->pool_key); /* the tunnel's are zeros in a child */
}

/* Nothing is worse than one that seems to work: the container's restart policy has all of it back
 * within moments. */
static void on_children_lost(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	log_error("init", "a program has to be started and nobody is left who may: stopping in "
			  "order, for the container to be started again");
	a->crippled = true;
	a->stopping = true;
	loop_stop(a->loop);
}

/* --- the subscriber link
 * ----------------------------------------------------------------------------------- */

static void on_link_changed(void *ctx)
{
	tell_link((struct appliance *)ctx);
}

/* The server waits for that before it ends: what it still has to say is read. */
static void let_server_end(struct appliance *a)
{
	if (a->server_fd >= 0)
		(void)shutdown(a->server_fd, SHUT_WR); /* fails where it is gone already */
}

/* Its sockets lead nowhere: it ends, and the next one gets those of the NIC that is there now. */
static void on_nic_replaced(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	a->replace_server = true;
	if (!a->server_pid) {
		loop_timer_set(a->server_timer, 0);
		return;
	}
	const struct message stop = { .type = MESSAGE_STOP };
	server_tell(a, &stop);
	let_server_end(a);
	loop_timer_set(a->replace_timer, STOP_LIMIT_MS);
}

static void on_replace_overdue(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	if (a->replace_server && a->server_pid)
		kill_child(a->server_pid);
}

/* --- boot
 * --------------------------------------------------------------------------------------------------
 */

static int undo_routes(void *arg)
{
	struct appliance *a = (struct appliance *)arg;
	const struct route unreachable = { .prefix = a->config.assigned,
					   .type = ROUTE_UNREACHABLE,
					   .metric = ROUTE_METRIC_UNREACHABLE };
	int r = route_del(a->routes, &unreachable, 0);
	return r < 0 ? r : route_commit(a->routes, NULL, NULL);
}

static int undo_control(void *arg)
{
	struct appliance *a = (struct appliance *)arg;
	(void)close(take_fd(&a->control_fd)); /* listening only */
	return unlink(CONTROL_SOCKET) < 0 ? -errno : 0;
}

static int undo_metrics(void *arg)
{
	struct appliance *a = (struct appliance *)arg;
	(void)close(take_fd(&a->metrics_fd)); /* listening only */
	return 0;
}

static int boot_tunnel(struct appliance *a)
{
	const struct config *c = &a->config;
	if (c->backend == WG_BACKEND_NONE)
		return 0;
	a->tunnel.children = a->children;
	a->tunnel.host_rt = a->at.host_rt;
	a->tunnel.own_rt = a->at.own_rt;
	a->tunnel.own_ns = a->at.own_ns;
	a->tunnel.routes = a->routes;
	int r = tunnel_begin(&a->tunnel);
	while (r == -EAGAIN)
		r = boot_pause(a) ? tunnel_go_on(&a->tunnel) : -EINTR;
	if (r == 0) {
		undo_push(&a->undo, "remove the tunnel", tunnel_remove, &a->tunnel);
		char key[WGKEY_STRLEN];
		wgkey_format(c->wg_public_key, key);
		log_info("tunnel", "created", kv_str("interface", c->tunnel),
			 kv_str("backend", tunnel_backend(&a->tunnel)), kv_str("public_key", key),
			 kv_u64("mtu", c->wg_mtu));
		uplink_watch_made(a->uplink);
		const struct tunnel_watch_params keep = { .config = c,
							  .loop = a->loop,
							  .children = a->children,
							  .host_ns = a->at.host_ns,
							  .tunnel = &a->tunnel,
							  .uplink = a->uplink,
							  .looked = on_tunnel_looked,
							  .ctx = a };
		r = tunnel_watch_new(&keep, &a->tunnel_watch);
		return r < 0 ? boot_failed(r, "the tunnel %s cannot be watched", c->tunnel) : 0;
	}
	switch (r) {
	case -EINTR:
		tunnel_drop(&a->tunnel); /* a process that is only just starting */
		return 0;
	case -EOPNOTSUPP:
		return boot_failed(r, "WIREGUARD_BACKEND=kernel: this kernel has no WireGuard. "
				      "Load its module on the host (modprobe "
				      "wireguard), or set WIREGUARD_BACKEND=auto");
	case -ENOENT:
		return boot_failed(r, "this kernel has no WireGuard, and there is no wireguard-go "
				      "to run instead");
	case -ENODEV:
		return boot_failed(r, "the userspace backend needs /dev/net/tun. Start with "
				      "--privileged, or add --device /dev/net/tun");
	case -ETIMEDOUT:
		return boot_failed(r, "wireguard-go did not come up. Has the container "
				      "/dev/net/tun, and may it use it?");
	case -EEXIST:
		return boot_failed(r,
				   "WIREGUARD_INTERFACE_SUFFIX: there is an interface %s already, "
				   "and it is no tunnel of ours",
				   c->tunnel);
	default:
		return boot_failed(r, "the tunnel %s cannot be created", c->tunnel);
	}
}

static int boot_nic(struct appliance *a)
{
	const struct config *c = &a->config;
	const char *why = NULL;
	a->sub.at = &a->at;
	a->sub.loop = a->loop;
	a->sub.routes = a->routes;
	a->sub.changed = on_link_changed;
	a->sub.replaced = on_nic_replaced;
	a->sub.ctx = a;
	int r = subscriber_take(&a->sub, &a->undo, boot_pause, a, &why);
	if (r == -EINTR)
		return 0;
	return r < 0 ? boot_failed(r, "SUBSCRIBER_INTERFACE=%s: %s", c->subscriber, why) : 0;
}

static int boot_routes(struct appliance *a)
{
	const struct route unreachable = { .prefix = a->config.assigned,
					   .type = ROUTE_UNREACHABLE,
					   .metric = ROUTE_METRIC_UNREACHABLE };
	/* Before it is made: where only the kernel's answer is lost, it is there. */
	undo_push(&a->undo, "remove the assigned prefix's route", undo_routes, a);
	int r = route_put(a->routes, &unreachable, 0);
	if (r == 0)
		r = route_commit(a->routes, NULL, NULL);
	return r == 0 ? 0
		      : boot_failed(r > 0 ? -EIO : r,
				    "the assigned prefix cannot be made unreachable");
}

static int listen_control(int *ret_fd)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (mkdir("/run", 0755) < 0 && errno != EEXIST)
		return -errno;
	if (mkdir("/run/vbng", 0700) < 0 && errno != EEXIST)
		return -errno;
	struct sockaddr_un at = { .sun_family = AF_UNIX, .sun_path = CONTROL_SOCKET };
	if (connect(fd, (const struct sockaddr *)&at, sizeof at) == 0)
		return -EADDRINUSE;
	if (unlink(CONTROL_SOCKET) < 0 && errno != ENOENT)
		return -errno;
	mode_t old = umask(0077);
	int r = bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 ? -errno : 0;
	(void)umask(old); /* always succeeds */
	if (r == 0 && listen(fd, CONTROL_BACKLOG) < 0)
		r = -errno;
	if (r < 0)
		return r;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* METRICS_LISTEN. In our own namespace addresses come and go with our links, so that one which is
 * not there yet is as good. */
static int boot_metrics(struct appliance *a)
{
	const struct listen_config *l = &a->config.metrics;
	if (!l->text[0])
		return 0;
	const char *where = l->in_host ? "the host" : "the container";
	int r = tcp_listen(l->in_host ? a->at.host_ns : -1, &l->at.sa, !l->in_host, &a->metrics_fd);
	if (r == 0) {
		undo_push(&a->undo, "stop listening for metrics", undo_metrics, a);
		log_info("metrics", "listening", kv_str("METRICS_LISTEN", l->text));
		return 0;
	}
	if (r == -EADDRINUSE)
		return boot_failed(r,
				   "METRICS_LISTEN=%s: the port is taken in %s's network "
				   "namespace. Give every instance a port of its own",
				   l->text, where);
	if (r == -EADDRNOTAVAIL)
		return boot_failed(r, "METRICS_LISTEN=%s: %s has no such address", l->text, where);
	return boot_failed(r, "METRICS_LISTEN=%s: %s's network namespace does not let us listen",
			   l->text, where);
}

static int undo_sockets(void *arg)
{
	struct appliance *a = (struct appliance *)arg;
	int r = subscriber_close_sockets(&a->sub);
	let_server_end(a);
	return r;
}

static int boot_sockets(struct appliance *a)
{
	const char *why = NULL;
	undo_push(&a->undo, "close the sockets", undo_sockets, a);
	int r = subscriber_open_sockets(&a->sub, &why);
	return r < 0 ? boot_failed(r, "on %s this cannot be opened: %s", a->sub.nic.link.name, why)
		     : 0;
}

static int undo_guard(void *arg)
{
	struct appliance *a = (struct appliance *)arg;
	loop_unwatch(a->guard_watch);
	a->guard_watch = NULL;
	if (a->nflog_fd >= 0)
		(void)close(take_fd(&a->nflog_fd)); /* reports nobody reads any more */
	int r = nft_guard_close(a->guard);
	if (r >= 0 || r == -ENOENT)
		a->guard = NULL;
	return r;
}

/* Nobody is worse off without it than with most routers, so that nothing here ends the boot. Before
 * the NIC is taken, and until it was given back: nothing is forwarded without the rules. */
static int boot_guard(struct appliance *a)
{
	const struct config *c = &a->config;
	uint16_t group = 0;
	int unreported = 0;
	if (c->source_filter != SOURCE_OFF)
		unreported = nflog_open(NFT_REPORT_BYTES, &group, &a->nflog_fd);
	struct nft_rules rules = filter_rules(c, group);
	struct link_info link; /* an alternative name finds it, too, and no rule knows those */
	if (a->at.host_rt && link_get(a->at.host_rt, c->subscriber, &link) == 0)
		memcpy(rules.subscriber, link.name, sizeof rules.subscriber);
	int r = nft_guard_open(&rules, c->suffix, &a->guard);
	if (r < 0) {
		log_warn("boot", unguarded, kv_errno(r));
		return 0;
	}
	undo_push(&a->undo, "remove the packet filter's table", undo_guard, a);
	a->gated_at_ms = clock_mono_ms();
	a->shortest = nft_rules_shortest(&rules);
	if (unreported < 0)
		log_warn("boot",
			 "the kernel cannot report wrong sources: they are counted, nobody sees "
			 "whose "
			 "they are",
			 kv_errno(unreported));
	return 0;
}

/* Our own resolver is started when subscribers are served: until then nobody asks it. */
static int boot_children(struct appliance *a)
{
	const char *why = a->config.resolver ? dns_impossible(&a->config) : NULL;
	if (why) {
		a->dns_absent = true;
		config_without_resolver(&a->config);
		log_warn("dns", "our own resolver cannot run, others are announced instead",
			 kv_str("why", why));
	}
	const struct children_params p = { .config = &a->config,
					   .host_ns = a->at.host_ns,
					   .forget = forget_keys,
					   .lost = on_children_lost,
					   .ctx = a };
	int r = children_new(&p, &a->children);
	if (r == 0 && a->config.resolver)
		r = dns_new(a->loop, &a->config, a->children, tell_dns, a, &a->dns);
	return r < 0 ? boot_failed(r, "other programs cannot be started") : 0;
}

static void on_refused(void *ctx, int fd)
{
	(void)ctx;
	(void)fd;
	for (int call; (call = seccomp_refused()) >= 0;)
		log_error("init",
			  "init made a system call that it never needs, which was refused: a fault "
			  "of ours, or somebody has taken it over",
			  kv_i64("call", call));
}

/* Whether the next server can open what this one could without a privilege: a volume may have been
 * filled by somebody else. */
static bool may_open_state(const char *dir)
{
	static const struct {
		const char *name;
		mode_t rights; /* as an owner's */
	} parts[] = {
		{ "", S_IRWXU },
		{ "/leases.db", S_IRUSR | S_IWUSR },
		{ "/leases.db-wal", S_IRUSR | S_IWUSR },
		{ "/names", S_IRWXU },
		{ "/nic", S_IRUSR | S_IWUSR },
		{ "/reservations", S_IRUSR },
	};
	bool may = true;
	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		char path[CONFIG_PATH_MAX + 16];
		struct stat st;
		(void)snprintf(path, sizeof path, "%s%s", dir, parts[i].name); /* fits */
		if (stat(path, &st) < 0)
			continue; /* there is none */
		mode_t rights = st.st_uid == geteuid() ? parts[i].rights : parts[i].rights >> 6;
		may = may && (st.st_mode & rights) == rights;
	}
	return may;
}

/*
 * What is needed from now on, and no more: NET_RAW and NET_BIND_SERVICE for the sockets on a NIC
 * that was replaced, DAC_OVERRIDE where STATE_DIR, or what is in it, is for another user. Whatever
 * else its children need, the spawners have (daemon/children.h); all sockets in the host's
 * namespace are open.
 */
static void give_up_privileges(struct appliance *a)
{
	unsigned needed = 1U << PRIV_NET_ADMIN | 1U << PRIV_NET_RAW | 1U << PRIV_NET_BIND_SERVICE;
	if (!may_open_state(a->config.state_dir))
		needed |= 1U << PRIV_DAC_OVERRIDE;
	int r = priv_limit(needed, false);
	if (r < 0)
		log_warn("boot",
			 "privileges that are not needed any more cannot be given up, going on",
			 kv_errno(r));
	r = seccomp_enter_init();
	if (r < 0 && r != -EOPNOTSUPP)
		log_warn("boot", "this kernel cannot take system calls from us, going on",
			 kv_errno(r));
	if (seccomp_report_fd() < 0)
		return;
	r = loop_watch_fd(a->loop, seccomp_report_fd(), on_refused, a, &a->refused_watch);
	if (r < 0)
		log_warn("boot", "system calls that are refused are told at the stop alone",
			 kv_errno(r));
}

static int undo_loopback(void *arg)
{
	const struct appliance *a = (const struct appliance *)arg;
	struct link_info lo;
	int r = link_get(a->at.own_rt, "lo", &lo);
	return r < 0 ? r : link_set_up(a->at.own_rt, lo.ifindex, false);
}

/* Without it only those who ask us from within the container are not answered. */
static void boot_loopback(struct appliance *a)
{
	struct link_info lo;
	if (link_get(a->at.own_rt, "lo", &lo) < 0 || lo.up)
		return;
	undo_push(&a->undo, "set loopback down again", undo_loopback, a);
	if (link_set_up(a->at.own_rt, lo.ifindex, true) < 0)
		log_warn("boot", "loopback cannot be brought up, going on");
}

static int boot_loop(struct appliance *a);

/* Every acquisition with its undo; the first failure ends it, with the exit code of the contract.
 */
static int boot(struct appliance *a)
{
	int code = preflight_run(&a->config, true, log_fault, &a->at);
	if (code)
		return code;
	int r = listen_control(&a->control_fd);
	if (r < 0)
		return boot_failed(r, "the control socket " CONTROL_SOCKET " cannot be opened%s",
				   r == -EADDRINUSE ? ": an instance is running here already" : "");
	undo_push(&a->undo, "remove the control socket", undo_control, a);
	code = boot_metrics(a);
	if (code)
		return code;
	r = route_batch_new(&a->routes);
	if (r < 0)
		return boot_failed(r, "routes cannot be set");
	r = tally_new(&a->tally);
	if (r < 0)
		return boot_failed(r, "there is no memory for what is counted");
	r = intake_memory_new(&a->intake);
	if (r < 0)
		return boot_failed(r, "there is no memory for what waits");
	const char *key = NULL;
	r = settings_apply(&a->undo, &key);
	if (r < 0)
		return boot_failed(r, "/proc/sys/%s cannot be set", key);
	boot_loopback(a);
	int (*const steps[])(struct appliance *) = { boot_children, boot_tunnel, boot_routes,
						     boot_guard,    boot_nic,    boot_sockets,
						     boot_loop };
	for (size_t i = 0; i < ARRAY_LEN(steps) && code == 0 && !a->stopping; i++)
		code = steps[i](a);
	if (code == 0)
		give_up_privileges(a);
	return code;
}

static int boot_loop(struct appliance *a)
{
	int r = server_start(a);
	if (r < 0)
		return boot_failed(r, "the server cannot be started");
	load_guard(a);
	r = subscriber_watch(&a->sub);
	if (r < 0)
		return boot_failed(r, "the subscriber link cannot be watched");
	if (!a->sub.link.carrier)
		log_info("subscriber", "no carrier yet, serving begins with the link",
			 kv_str("interface", a->sub.nic.link.name));
	return 0;
}

/* --- signals, children, the end
 * ---------------------------------------------------------------------------- */

static void on_stop_signal(void *ctx, int signo)
{
	struct appliance *a = (struct appliance *)ctx;
	if (a->stopping)
		return;
	log_info("init", "stopping", kv_i64("signal", signo));
	a->stopping = true;
	loop_stop(a->loop);
}

static void on_slept(void *ctx, uint64_t slept_ms)
{
	struct appliance *a = (struct appliance *)ctx;
	log_info("init", "the host was suspended, going on", kv_u64("slept_s", slept_ms / 1000));
	uplink_watch_slept(a->uplink);
}

static void on_pass_on(void *ctx, int signo)
{
	struct appliance *a = (struct appliance *)ctx;
	const struct message m = { .type = signo == SIGHUP ? MESSAGE_ANNOUNCE : MESSAGE_SUMMARY };
	server_tell(a, &m);
}

static void on_child(void *ctx, pid_t pid, int status)
{
	struct appliance *a = (struct appliance *)ctx;
	if (pid == a->server_pid) {
		server_ended(a, status);
	} else if (pid == a->fib_pid) {
		fib_ended(a, status);
	} else if (dns_ended(a->dns, pid, status) || children_ended(a->children, pid, status)) {
		return; /* it is started again, or missed when it is needed */
	} else if (pid == a->tunnel.wg.pid && !a->tunnel_watch) {
		a->tunnel.wg.pid = 0; /* whoever starts it, or has it stopped, sees that */
	} else if (!tunnel_watch_child(a->tunnel_watch, pid, status)) {
		log_debug("init", "reaped an orphan", kv_i64("pid", pid));
	}
}

static void on_stop_overdue(void *ctx)
{
	struct appliance *a = (struct appliance *)ctx;
	a->stop_overdue = true;
}

/* False: not within that. It is gone, or has only its sockets left to close; and whoever sets its
 * routes is gone, who would do so behind our back. */
static bool server_ends(struct appliance *a, uint64_t limit_ms)
{
	a->stop_overdue = false;
	loop_timer_set(a->stop_timer, limit_ms);
	while (((a->server_pid && !inbox_is_over(a->inbox)) || a->fib_pid) && !a->stop_overdue)
		loop_step(a->loop);
	return !a->stop_overdue;
}

static void kill_server(struct appliance *a)
{
	log_error("init", a->server_pid ? "the server does not end, killing it"
					: "the process that sets routes does not end, killing it");
	a->server_overdue = true;
	kill_child(a->server_pid);
	kill_child(a->fib_pid);
	if (!server_ends(a, KILL_LIMIT_MS))
		log_error("init",
			  "the server was killed and is still there, as where a disk does not "
			  "answer: going on without waiting for it",
			  kv_str("STATE_DIR", a->config.state_dir));
}

/* Until it has said farewell and closed its store. */
static void stop_server(struct appliance *a)
{
	if (!a->server_pid && !a->fib_pid)
		return;
	const struct message stop = { .type = MESSAGE_STOP };
	if (a->server_pid)
		server_tell(a, &stop);
	if (!server_ends(a, STOP_LIMIT_MS))
		kill_server(a);
}

/*
 * It closed what it has to close last while we undid the rest. Without the loop, which would see
 * the NIC where it was taken from, and take it again. had: there was one to be stopped.
 */
static void see_server_end(struct appliance *a, bool had)
{
	int status;
	for (unsigned ms = 0; a->server_pid && !a->server_overdue; ms++) {
		const struct timespec pause = { .tv_nsec = 1000000 };
		if (waitpid(a->server_pid, &status, WNOHANG) == a->server_pid) {
			server_ended(a, status);
		} else if (ms < KILL_LIMIT_MS) {
			(void)nanosleep(&pause, NULL); /* shorter is only a look sooner */
		} else {
			log_error("init", "the server has closed its store and does not end");
			a->server_overdue = true;
			kill_child(a->server_pid);
		}
	}
	if (had && !a->server_overdue && !a->server_farewell)
		log_warn("init", "the server did not end as it should");
}

static int init_loop(struct appliance *a)
{
	int r = loop_new(true, &a->loop);
	if (r == 0)
		r = loop_timer_new(a->loop, on_pause, a, &a->pause_timer);
	if (r == 0)
		r = loop_timer_new(a->loop, on_stop_overdue, a, &a->stop_timer);
	if (r == 0)
		r = loop_timer_new(a->loop, server_again, a, &a->server_timer);
	if (r == 0)
		r = loop_timer_new(a->loop, tell_again, a, &a->tell_timer);
	if (r == 0)
		r = loop_timer_new(a->loop, on_replace_overdue, a, &a->replace_timer);
	if (r == 0)
		r = loop_watch_children(a->loop, on_child, a);
	const struct uplink_watch_calls calls = { .ctx = a,
						  .on_change = on_uplink_change,
						  .on_loss = on_uplink_loss };
	if (r == 0)
		r = uplink_watch_new(&a->config, a->loop, &calls, &a->uplink);
	if (r == 0)
		r = loop_watch_sleep(a->loop, on_slept, a);
	static const int stop[] = { SIGTERM, SIGINT }, pass_on[] = { SIGHUP, SIGUSR1, SIGUSR2 };
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(stop); i++)
		r = loop_watch_signal(a->loop, stop[i], on_stop_signal, a);
	for (size_t i = 0; r == 0 && i < ARRAY_LEN(pass_on); i++)
		r = loop_watch_signal(a->loop, pass_on[i], on_pass_on, a);
	return r;
}

/* From what the provider gave and nobody else knows: the same after a lost volume, another for
 * every provider. */
static void derive_pool_key(const struct config *c, uint8_t ret_key[static 16])
{
	struct {
		uint8_t private_key[WGKEY_LEN];
		struct in6_addr assigned;
	} seed;
	memcpy(seed.private_key, c->wg_private_key, sizeof seed.private_key);
	seed.assigned = c->assigned.addr;
	for (uint8_t half = 0; half < 2; half++) {
		const uint8_t label[16] = { 'v', 'b', 'n', 'g', ' ', 'p', 'o', 'o', 'l', half };
		uint64_t h = siphash24(label, &seed, sizeof seed);
		memcpy(ret_key + 8 * half, &h, sizeof h);
	}
	explicit_bzero(&seed, sizeof seed);
}

static int read_config(struct config *ret_config)
{
	struct config_report report = { 0 };
	int r = config_read(environ, ret_config, &report);
	/* The log's own variables count even for a faulty configuration's warnings: they are read
	 * first. */
	if (r == 0)
		log_setup(ret_config->log_level, ret_config->log_format, ret_config->suffix);
	for (size_t i = 0; i < report.n_warnings; i++)
		log_warn("config", report.warnings[i]);
	for (size_t i = 0; i < report.n_faults; i++)
		log_error("config", report.faults[i]);
	if (r == -EINVAL)
		log_error("config", "nothing was touched", kv_u64("faults", report.n_faults));
	config_report_done(&report);
	return r == 0 ? 0 : r == -EINVAL ? EX_CONFIG : EX_SOFTWARE;
}

/* To process 1 a signal that nobody handles yet is as if it had not been sent, and whoever stopped
 * us would wait for ever. One that is blocked waits until there is a handler. */
static void block_signals(int how)
{
	static const int all[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2 };
	sigset_t set;
	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(all); i++)
		sigaddset(&set, all[i]);
	(void)sigprocmask(how, &set, NULL); /* cannot fail with these arguments */
}

static void ignore_broken_pipes(void)
{
	(void)signal(SIGPIPE, SIG_IGN); /* cannot fail */
}

static void done_loop(struct appliance *a)
{
	struct loop_timer *const timers[] = { a->pause_timer, a->stop_timer, a->server_timer,
					      a->tell_timer, a->replace_timer };
	for (size_t i = 0; i < ARRAY_LEN(timers); i++)
		loop_timer_free(timers[i]);
	subscriber_done(&a->sub);
	inbox_free(a->inbox);
	loop_unwatch(a->guard_watch);
	loop_unwatch(a->refused_watch);
	uplink_watch_free(a->uplink);
	loop_free(a->loop);
}

int init_run(const char *version)
{
	struct appliance a = { .version = version,
			       .at = PREFLIGHT_NONE,
			       .control_fd = -1,
			       .metrics_fd = -1,
			       .nflog_fd = -1,
			       .server_fd = -1,
			       .log_told = { .per_s = 1, .burst = 1 },
			       .started_at_ms = clock_mono_ms() };
	block_signals(SIG_BLOCK);
	ignore_broken_pipes();
	log_setup(LOG_INFO, LOG_TEXT, NULL);
	/* An environment with keys in it is not for a core file. */
	int forbidden = secret_forbid_dumps();
	if (forbidden < 0)
		return boot_failed(forbidden, "core dumps, with keys in them, cannot be forbidden");
	int code = read_config(&a.config);
	if (code)
		return code;
	log_info("init", "vbng", kv_str("version", version), kv_str("name", a.config.suffix));
	derive_pool_key(&a.config, a.pool_key);
	int keys = tunnel_init(&a.tunnel, &a.config);
	config_wipe_secrets(&a.config, environ);
	secret_wipe_stack();
	if (keys < 0)
		return boot_failed(keys, "there is no memory for the keys");
	a.sub.config = &a.config;
	subscriber_init(&a.sub);
	int r = init_loop(&a);
	block_signals(SIG_UNBLOCK);
	code = r < 0 ? boot_failed(r, "the event loop cannot be made") : boot(&a);
	if (code == 0 && !a.stopping)
		loop_run(a.loop);
	a.stopping = true;
	dns_free(take_ptr(&a.dns));
	tunnel_watch_free(take_ptr(&a.tunnel_watch)); /* from here on it only goes */
	bool had_server = a.server_pid != 0;
	stop_server(&a);
	size_t not_undone = undo_run(&a.undo);
	see_server_end(&a, had_server);
	if ((not_undone > 0 || a.crippled) && code == 0)
		code = EX_SOFTWARE;
	tunnel_done(&a.tunnel);
	children_free(a.children);
	route_batch_free(a.routes);
	tally_free(a.tally);
	intake_memory_free(a.intake);
	done_loop(&a);
	preflight_done(&a.at);
	on_refused(&a, -1); /* what the undo met with */
	log_info("init", "stopped", kv_i64("exit_code", code));
	return code;
}
