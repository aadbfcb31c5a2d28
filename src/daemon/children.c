/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/children.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "daemon/dns.h"
#include "host/proc.h"
#include "host/resolver.h"
#include "host/spawner.h"
#include "host/wireguard.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum command {
	/* of the one in our namespace */
	START_DNSMASQ,
	END_DNSMASQ,
	KILL_DNSMASQ,
	/* of the one in the host's */
	START_WIREGUARD_GO, /* number: of its link's name */
	RESOLVE,
};

struct children {
	struct children_params p;
	struct spawner *own, *host; /* NULL: not needed */
	bool told_lost;
	uid_t uid; /* dnsmasq's; 0: ours */
	gid_t gid;
	/* in a spawner alone */
	pid_t dnsmasq; /* the last that it started; 0: none yet, or it is done with */
	int etc_fd;    /* the host's /etc, -1 */
};

/* --- in a spawner
 * ------------------------------------------------------------------------------------------------
 */

static int run_dnsmasq(struct children *ch, int words, pid_t *ret_pid)
{
	char program[] = DNS_PROGRAM, foreground[] = "-k", config[] = "--conf-file=" DNS_CONFIG,
	     path[] = "PATH=" DNS_PATH;
	char *const argv[] = { program, foreground, config, NULL };
	char *const env[] = { path, NULL };
	const struct child_spec spec = { .argv = argv,
					 .env = env,
					 .privs = 1U << PRIV_NET_BIND_SERVICE,
					 .uid = ch->uid,
					 .gid = ch->gid,
					 .log_fd = words,
					 .parent = CHILD_OF_OUR_PARENT };
	int r = words < 0 ? -EBADF : child_spawn(&spec, ret_pid);
	if (r == 0)
		ch->dnsmasq = *ret_pid;
	return r;
}

static int signal_dnsmasq(const struct children *ch, bool with_its_children, int signo)
{
	if (ch->dnsmasq <= 0)
		return -ESRCH;
	return kill(with_its_children ? -ch->dnsmasq : ch->dnsmasq, signo) < 0 ? -errno : 0;
}

static int serve_here(void *ctx, uint32_t command, uint32_t number, int fd, pid_t *ret_pid)
{
	struct children *ch = (struct children *)ctx;
	int r;
	(void)number; /* there is one dnsmasq */
	switch (command) {
	case START_DNSMASQ:
		return run_dnsmasq(ch, fd, ret_pid);
	case END_DNSMASQ:
		return signal_dnsmasq(ch, false, SIGTERM);
	case KILL_DNSMASQ:
		r = signal_dnsmasq(ch, true, SIGKILL);
		ch->dnsmasq = 0; /* init reaps it: its number may be anybody's from now on */
		return r;
	default:
		return -EOPNOTSUPP;
	}
}

static void end_here(void *ctx)
{
	(void)signal_dnsmasq((const struct children *)ctx, true, SIGKILL); /* gone is fine */
}

static void end_host(void *ctx)
{
	(void)ctx; /* wireguard-go dies with init, the resolver by its own clock */
}

static int run_resolver(const struct children *ch, int answer_fd, pid_t *ret_pid)
{
	const struct config *c = ch->p.config;
	struct resolver_question q = { .name = c->wg_endpoint_name,
				       .n_servers = c->n_resolvers,
				       .etc_fd = ch->etc_fd };
	for (size_t i = 0; i < c->n_resolvers; i++) {
		q.servers[i].family = c->resolvers[i].family;
		q.servers[i].v6 = c->resolvers[i].v6; /* the whole union */
		q.servers[i].port = c->resolvers[i].port;
	}
	return answer_fd < 0 ? -EBADF : resolver_run(&q, answer_fd, CHILD_OF_OUR_PARENT, ret_pid);
}

static int serve_host(void *ctx, uint32_t command, uint32_t number, int fd, pid_t *ret_pid)
{
	const struct children *ch = (const struct children *)ctx;
	switch (command) {
	case START_WIREGUARD_GO:
		return wg_userspace_run(number, CHILD_OF_OUR_PARENT, ret_pid);
	case RESOLVE:
		return run_resolver(ch, fd, ret_pid);
	default:
		return -EOPNOTSUPP;
	}
}

static void begin_here(void *ctx)
{
	const struct children *ch = (const struct children *)ctx;
	ch->p.forget(ch->p.ctx);
}

static void begin_host(void *ctx)
{
	struct children *ch = (struct children *)ctx;
	ch->p.forget(ch->p.ctx);
	if (resolver_open_etc(&ch->etc_fd) < 0)
		ch->etc_fd = -1; /* the usual: others' files are not to be seen from a container */
}

/* --- in init
 * ------------------------------------------------------------------------------------------------
 */

/* In /etc/passwd itself: nothing that may block or load a library is asked. */
static void find_user(struct children *ch)
{
	FILE *f = fopen("/etc/passwd", "re");
	if (!f)
		return; /* then there is none */
	for (const struct passwd *p; (p = fgetpwent(f));)
		if (strcmp(p->pw_name, DNS_PROGRAM) == 0) {
			ch->uid = p->pw_uid;
			ch->gid = p->pw_gid;
			break;
		}
	(void)fclose(f); /* read only */
}

static bool needs_host(const struct config *c)
{
	return c->backend == WG_BACKEND_USERSPACE || c->backend == WG_BACKEND_AUTO ||
	       (c->backend != WG_BACKEND_NONE && c->wg_endpoint_name[0]);
}

int children_new(const struct children_params *p, struct children **ret_children)
{
	struct children *ch = calloc(1, sizeof *ch);
	if (!ch)
		return -ENOMEM;
	*ch = (struct children){ .p = *p, .etc_fd = -1 };
	/* For children that are other users, who can be ended all the same. */
	const unsigned others = 1U << PRIV_SETPCAP | 1U << PRIV_SETUID | 1U << PRIV_SETGID;
	const struct spawner_spec here = {
		.name = "vbng-spawner",
		.netns_fd = -1,
		.privs = others | 1U << PRIV_KILL | 1U << PRIV_NET_BIND_SERVICE,
		.begin = begin_here,
		.serve = serve_here,
		.end = end_here,
		.ctx = ch,
	};
	const struct spawner_spec host = {
		.name = "vbng-spawner-h",
		.netns_fd = p->host_ns,
		.privs = others | 1U << PRIV_NET_ADMIN,
		.begin = begin_host,
		.serve = serve_host,
		.end = end_host,
		.ctx = ch,
	};
	int r = 0;
	if (priv_can_become())
		find_user(ch);
	if (p->config->resolver)
		r = spawner_start(&here, &ch->own);
	if (r == 0 && needs_host(p->config))
		r = spawner_start(&host, &ch->host);
	if (r < 0) {
		children_free(ch);
		return r;
	}
	*ret_children = ch;
	return 0;
}

void children_free(struct children *ch)
{
	if (!ch)
		return;
	spawner_free(ch->own);
	spawner_free(ch->host);
	free(ch);
}

bool children_ended(struct children *ch, pid_t pid, int status)
{
	struct spawner *s = ch && pid == spawner_pid(ch->own)    ? ch->own
			    : ch && pid == spawner_pid(ch->host) ? ch->host
								 : NULL;
	if (!s)
		return false;
	spawner_ended(s);
	log_error("init",
		  s == ch->own ? "the process that starts the subscribers' resolver is gone and "
				 "cannot be replaced; when it is needed again the container ends"
			       : "the process that starts wireguard-go, and asks for the "
				 "endpoint's name, is gone and cannot be replaced; when it is "
				 "needed again the container ends",
		  kv_i64(WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status)));
	return true;
}

static int ask(struct children *ch, struct spawner *s, enum command command, uint32_t number,
	       int fd, pid_t *ret_pid)
{
	int r = s ? spawner_ask(s, command, number, fd, ret_pid) : -EPIPE;
	bool start = command != END_DNSMASQ && command != KILL_DNSMASQ;
	if (r == -EPIPE && start && !ch->told_lost) {
		ch->told_lost = true;
		ch->p.lost(ch->p.ctx);
	}
	return r;
}

uid_t children_dnsmasq_uid(const struct children *ch)
{
	return ch->uid;
}

int children_start_dnsmasq(struct children *ch, int words, pid_t *ret_pid)
{
	return ask(ch, ch->own, START_DNSMASQ, 0, words, ret_pid);
}

int children_end_dnsmasq(struct children *ch)
{
	pid_t nobody;
	return ask(ch, ch->own, END_DNSMASQ, 0, -1, &nobody);
}

int children_kill_dnsmasq(struct children *ch)
{
	pid_t nobody;
	return ask(ch, ch->own, KILL_DNSMASQ, 0, -1, &nobody);
}

int children_start_wireguard_go(void *ctx, uint32_t number, pid_t *ret_pid)
{
	struct children *ch = (struct children *)ctx;
	return ask(ch, ch->host, START_WIREGUARD_GO, number, -1, ret_pid);
}

int children_resolve(struct children *ch, pid_t *ret_pid, int *ret_fd)
{
	int pipe_fds[2];
	if (pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK) < 0)
		return -errno;
	AUTO_CLOSE int from = pipe_fds[0];
	AUTO_CLOSE int to = pipe_fds[1];
	int r = ask(ch, ch->host, RESOLVE, 0, to, ret_pid);
	if (r == 0)
		*ret_fd = take_fd(&from);
	return r;
}
