/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/resolver.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "host/netns.h"
#include "host/priv.h"
#include "host/seccomp.h"

#include <ares.h>
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	ANSWER_FD = 3, /* in the child, beside its standard ones */
	FAMILIES = 2,
	QUERY_TIMEOUT_MS = 1000, /* of the first try; each further one waits twice as long */
	QUERY_TRIES = 3,
	OTHER_FAMILY_MS = 1000, /* that an answer waits for the other family's */
	KILLED_AFTER_S = 20,
	RESOLVER_UID = 65118, /* nobody else's */
	MEMORY_MAX = 256 << 20,
	DESCRIPTORS_MAX = 32,
	CPU_MAX_S = 5,
	DISCARD_PORT = 9,
	RESOLV_CONF_MAX = 16384, /* what is beyond is not read */
};

static const char docker_server[] = "127.0.0.11";

const char *resolver_verdict_text(enum resolver_verdict v)
{
	static const char *const texts[RESOLVER_VERDICTS] = {
		[RESOLVER_FOUND] = "found",
		[RESOLVER_NO_NAME] = "there is no such name",
		[RESOLVER_NO_ADDRESS] = "the name has no address",
		[RESOLVER_NO_SERVER] = "no name server is known",
		[RESOLVER_NO_ANSWER] = "no name server answers",
		[RESOLVER_REFUSED] = "the name servers refuse, or cannot tell",
		[RESOLVER_FAULT] = "the resolver failed",
	};
	return texts[v];
}

/* --- whom to ask --- */

size_t resolver_servers(const char *path, bool skip_docker, struct resolver_server *ret_servers,
			size_t max)
{
	/* Not waiting: what somebody mounted there may be a FIFO. */
	AUTO_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	char text[RESOLV_CONF_MAX];
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof text - 1);
	text[len > 0 ? len : 0] = '\0';
	size_t n = 0;
	char *rest_of_text = NULL;
	for (char *line = strtok_r(text, "\n", &rest_of_text); line && n < max;
	     line = strtok_r(NULL, "\n", &rest_of_text)) {
		char *rest = NULL;
		const char *word = strtok_r(line, " \t\r", &rest),
			   *address = word ? strtok_r(NULL, " \t\r", &rest) : NULL;
		if (!address || strcmp(word, "nameserver") != 0 ||
		    (skip_docker && strcmp(address, docker_server) == 0))
			continue;
		struct resolver_server s = { .family = AF_INET };
		if (inet_pton(AF_INET6, address, &s.v6) == 1)
			s.family = AF_INET6;
		else if (inet_pton(AF_INET, address, &s.v4) != 1)
			continue;
		ret_servers[n++] = s;
	}
	return n;
}

int resolver_open_etc(int *ret_fd)
{
	AUTO_CLOSE int own = -1, its = open("/proc/1/ns/net", O_RDONLY | O_CLOEXEC);
	if (getpid() == 1 || getppid() == 1 || its < 0 || netns_open_own(&own) < 0 ||
	    netns_same(own, its) != 1)
		return -ENOENT;
	int fd = open("/proc/1/root/etc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -ENOENT;
	*ret_fd = fd;
	return 0;
}

static size_t find_servers(const struct resolver_question *q,
			   struct resolver_server servers[static RESOLVER_SERVERS_MAX])
{
	memcpy(servers, q->servers, q->n_servers * sizeof *servers);
	size_t n = q->n_servers;
	if (n == 0)
		n = resolver_servers(RESOLVER_MOUNTED, false, servers, RESOLVER_SERVERS_MAX);
	char path[64];
	(void)snprintf(path, sizeof path, "/proc/self/fd/%d/resolv.conf", q->etc_fd); /* fits */
	if (n == 0 && q->etc_fd >= 0)
		n = resolver_servers(path, false, servers, RESOLVER_SERVERS_MAX);
	if (n == 0)
		n = resolver_servers("/etc/resolv.conf", true, servers, RESOLVER_SERVERS_MAX);
	return n;
}

/* --- asking --- */

struct family_answer {
	bool done;
	int status; /* ARES_… */
	uint32_t ttl_s;
	size_t n;
	struct resolver_addr addrs[RESOLVER_ADDRS_MAX];
};

static bool can_be_sent_to(const struct resolver_addr *a)
{
	if (a->family == AF_INET)
		return a->v4.s_addr != INADDR_ANY && !IN_MULTICAST(ntohl(a->v4.s_addr));
	return !IN6_IS_ADDR_UNSPECIFIED(&a->v6) && !IN6_IS_ADDR_MULTICAST(&a->v6) &&
	       !IN6_IS_ADDR_LINKLOCAL(&a->v6) && !IN6_IS_ADDR_V4MAPPED(&a->v6);
}

static void take_nodes(struct family_answer *f, const struct ares_addrinfo *found)
{
	int ttl = INT32_MAX;
	for (const struct ares_addrinfo_cname *c = found->cnames; c; c = c->next)
		ttl = c->ttl < ttl ? c->ttl : ttl;
	for (const struct ares_addrinfo_node *n = found->nodes; n && f->n < RESOLVER_ADDRS_MAX;
	     n = n->ai_next) {
		struct resolver_addr a = { .family = n->ai_family };
		if (n->ai_family == AF_INET6)
			a.v6 = ((const struct sockaddr_in6 *)(const void *)n->ai_addr)->sin6_addr;
		else
			a.v4 = ((const struct sockaddr_in *)(const void *)n->ai_addr)->sin_addr;
		if (!can_be_sent_to(&a))
			continue;
		f->addrs[f->n++] = a;
		ttl = n->ai_ttl < ttl ? n->ai_ttl : ttl;
	}
	f->ttl_s = ttl > 0 && f->n ? (uint32_t)ttl : 0;
}

static void on_family(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
	struct family_answer *f = (struct family_answer *)arg;
	(void)timeouts; /* what came of it is told by the status */
	f->done = true;
	f->status = status;
	if (status == ARES_SUCCESS && found)
		take_nodes(f, found);
	ares_freeaddrinfo(found);
}

static int open_channel(const struct resolver_server *servers, size_t n, ares_channel *ret_channel)
{
	/* /etc/hosts first, which is where `docker run --add-host` writes. The name is a whole one:
	 * no search list is of any use to it. */
	char lookups[] = "fb";
	struct ares_options options = { .flags = ARES_FLAG_NOSEARCH,
					.timeout = QUERY_TIMEOUT_MS,
					.tries = QUERY_TRIES,
					.lookups = lookups };
	struct ares_addr_port_node nodes[RESOLVER_SERVERS_MAX] = { 0 };
	int r = ares_library_init(ARES_LIB_INIT_ALL);
	if (r == ARES_SUCCESS)
		r = ares_init_options(ret_channel, &options,
				      ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
					      ARES_OPT_DOMAINS | ARES_OPT_LOOKUPS |
					      ARES_OPT_NOROTATE);
	if (r != ARES_SUCCESS)
		return -EIO;
	for (size_t i = 0; i < n; i++) {
		struct ares_addr_port_node *node = &nodes[i];
		node->next = i + 1 < n ? node + 1 : NULL;
		node->family = servers[i].family;
		node->udp_port = node->tcp_port = servers[i].port ? servers[i].port : 53;
		if (servers[i].family == AF_INET6)
			memcpy(&node->addr.addr6, &servers[i].v6, sizeof servers[i].v6);
		else
			node->addr.addr4 = servers[i].v4;
	}
	return ares_set_servers_ports(*ret_channel, nodes) == ARES_SUCCESS ? 0 : -EIO;
}

/* Appends what a channel waits for; how many there are now. */
static nfds_t gather(ares_channel channel, struct pollfd *fds, ares_channel *owners, nfds_t n)
{
	ares_socket_t sockets[ARES_GETSOCK_MAXNUM];
	unsigned bits = (unsigned)ares_getsock(channel, sockets, ARES_GETSOCK_MAXNUM);
	/* As ARES_GETSOCK_READABLE and _WRITABLE have it, which shift a 1 into the sign. */
	for (unsigned i = 0; i < ARES_GETSOCK_MAXNUM; i++) {
		short events = (short)((bits >> i & 1 ? POLLIN : 0) |
				       (bits >> (i + ARES_GETSOCK_MAXNUM) & 1 ? POLLOUT : 0));
		if (!events)
			continue;
		owners[n] = channel;
		fds[n++] = (struct pollfd){ .fd = sockets[i], .events = events };
	}
	return n;
}

/* Until something arrives or is due, at most max_ms. */
static void wait_and_process(ares_channel channels[static FAMILIES], uint64_t max_ms)
{
	struct pollfd fds[FAMILIES * ARES_GETSOCK_MAXNUM];
	ares_channel owners[FAMILIES * ARES_GETSOCK_MAXNUM];
	struct timeval limit = { .tv_sec = (time_t)(max_ms / 1000),
				 .tv_usec = (suseconds_t)(max_ms % 1000 * 1000) };
	nfds_t n = 0;
	for (size_t f = 0; f < FAMILIES; f++) {
		struct timeval due;
		limit = *ares_timeout(channels[f], &limit, &due);
		n = gather(channels[f], fds, owners, n);
	}
	if (poll(fds, n, (int)(limit.tv_sec * 1000 + limit.tv_usec / 1000 + 1)) <= 0)
		n = 0;
	for (nfds_t i = 0; i < n; i++)
		if (fds[i].revents)
			ares_process_fd(owners[i],
					fds[i].events & POLLIN ? fds[i].fd : ARES_SOCKET_BAD,
					fds[i].revents & POLLOUT ? fds[i].fd : ARES_SOCKET_BAD);
	for (size_t f = 0; f < FAMILIES; f++)
		ares_process_fd(channels[f], ARES_SOCKET_BAD, ARES_SOCKET_BAD); /* overdue */
}

/*
 * Both families at once, asked for apart: an answer does not wait for a server that leaves one of
 * the two unanswered. Each has a channel of its own, for queries that share a socket also share the
 * news that nobody listens at its other end, and some end there without having asked the next
 * server (c-ares 1.18).
 */
static int ask(const char *name, const struct resolver_server *servers, size_t n_servers,
	       struct family_answer families[static FAMILIES])
{
	static const int family[FAMILIES] = { AF_INET6, AF_INET };
	ares_channel channels[FAMILIES];
	for (size_t i = 0; i < FAMILIES; i++) {
		int r = open_channel(servers, n_servers, &channels[i]);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < FAMILIES; i++) {
		const struct ares_addrinfo_hints hints = { .ai_family = family[i],
							   .ai_socktype = SOCK_DGRAM };
		ares_getaddrinfo(channels[i], name, NULL, &hints, on_family, &families[i]);
	}
	uint64_t until = clock_mono_ms() + RESOLVER_LIMIT_MS - 1000;
	bool found = false;
	for (;;) {
		uint64_t now = clock_mono_ms();
		if (!found && (families[0].n || families[1].n)) {
			found = true;
			until = now + OTHER_FAMILY_MS < until ? now + OTHER_FAMILY_MS : until;
		}
		if ((families[0].done && families[1].done) || now >= until)
			break;
		wait_and_process(channels, until - now);
	}
	/* One that is not done yet is left as it is: the process ends. */
	return 0;
}

/* Whether the kernel has a route: nothing is sent. */
static bool reachable(const struct resolver_addr *a)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(DISCARD_PORT) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(DISCARD_PORT) };
	v4.sin_addr = a->family == AF_INET ? a->v4 : v4.sin_addr;
	v6.sin6_addr = a->family == AF_INET6 ? a->v6 : v6.sin6_addr;
	AUTO_CLOSE int fd = socket(a->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	return fd >= 0 &&
	       (a->family == AF_INET ? connect(fd, (const struct sockaddr *)&v4, sizeof v4)
				     : connect(fd, (const struct sockaddr *)&v6, sizeof v6)) == 0;
}

static void merge(const struct family_answer families[static FAMILIES], struct resolver_answer *out)
{
	/* Twice through the addresses by turns: first those with a route. */
	for (int unreachable = 0; unreachable < 2; unreachable++)
		for (size_t i = 0; i < RESOLVER_ADDRS_MAX; i++)
			for (size_t f = 0; f < FAMILIES; f++)
				if (i < families[f].n && out->n < RESOLVER_ADDRS_MAX &&
				    reachable(&families[f].addrs[i]) != unreachable)
					out->addrs[out->n++] = families[f].addrs[i];
	uint32_t ttl_s = UINT32_MAX;
	for (size_t f = 0; f < FAMILIES; f++)
		if (families[f].n && families[f].ttl_s < ttl_s)
			ttl_s = families[f].ttl_s;
	out->ttl_s = out->n ? ttl_s : 0;
}

static enum resolver_verdict verdict_of(const struct family_answer *f)
{
	if (!f->done)
		return RESOLVER_NO_ANSWER;
	switch (f->status) {
	case ARES_SUCCESS:
	case ARES_ENODATA:
		return RESOLVER_NO_ADDRESS;
	case ARES_ENOTFOUND:
	case ARES_ENONAME:
	case ARES_EBADNAME:
		return RESOLVER_NO_NAME;
	case ARES_ETIMEOUT:
		return RESOLVER_NO_ANSWER;
	case ARES_ECONNREFUSED: /* also SERVFAIL and the like of the last server that was tried */
	case ARES_EFORMERR:
	case ARES_ESERVFAIL:
	case ARES_ENOTIMP:
	case ARES_EREFUSED:
	case ARES_EBADRESP:
		return RESOLVER_REFUSED;
	default:
		return RESOLVER_FAULT;
	}
}

static void resolve(const char *name, const struct resolver_server *servers, size_t n,
		    struct resolver_answer *answer)
{
	struct family_answer families[FAMILIES] = { 0 };
	/* Without a server /etc/hosts is asked all the same: the library insists on having one. */
	static const struct resolver_server nobody = { .family = AF_INET,
						       .v4.s_addr = INADDR_ANY,
						       .port = DISCARD_PORT };
	if (ask(name, n ? servers : &nobody, n ? n : 1, families) < 0) {
		answer->verdict = RESOLVER_FAULT;
		return;
	}
	merge(families, answer);
	if (answer->n)
		answer->verdict = RESOLVER_FOUND;
	else if (n == 0)
		answer->verdict = RESOLVER_NO_SERVER;
	else {
		enum resolver_verdict v6 = verdict_of(&families[0]), v4 = verdict_of(&families[1]);
		/* A server that fails for one of the two does not mean that there is none. */
		answer->verdict = v6 > v4 ? v6 : v4;
	}
}

/* --- the child --- */

static int set_limit(int what, rlim_t most)
{
	const struct rlimit limit = { most, most };
	return setrlimit(what, &limit) < 0 ? -errno : 0;
}

static int limit_resources(void)
{
	int r = set_limit(RLIMIT_CPU, CPU_MAX_S);
	if (r == 0)
		r = set_limit(RLIMIT_NOFILE, DESCRIPTORS_MAX);
	if (r == 0)
		r = set_limit(RLIMIT_NPROC, 0);
	if (r == 0)
		r = set_limit(RLIMIT_FSIZE, 0);
#ifndef __SANITIZE_ADDRESS__ /* it maps terabytes */
	if (r == 0)
		r = set_limit(RLIMIT_AS, MEMORY_MAX);
#endif
	return r;
}

/* Without CAP_SETUID, or in a user namespace that has no such user, it stays who it is, without a
 * capability. */
static int become_nobody(pid_t parent)
{
	if (setgroups(0, NULL) == 0 && setresgid(RESOLVER_UID, RESOLVER_UID, RESOLVER_UID) == 0 &&
	    setresuid(RESOLVER_UID, RESOLVER_UID, RESOLVER_UID) < 0 && errno == EAGAIN)
		return -EAGAIN;
	int r = priv_keep(0, false);
	/* A change of user makes the kernel forget it. */
	if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		r = -errno;
	return r == 0 && getppid() != parent ? -ESRCH : r;
}

static _Noreturn void child(const struct resolver_question *q, int to, pid_t parent)
{
	struct resolver_answer answer = { .verdict = RESOLVER_FAULT };
	if (child_settle(parent) < 0 || prctl(PR_SET_NAME, "vbng-resolver") < 0)
		_exit(1);
	(void)alarm(KILLED_AFTER_S); /* cannot fail */
	struct resolver_server servers[RESOLVER_SERVERS_MAX];
	size_t n_servers = find_servers(q, servers);
	if (dup2(to, ANSWER_FD) != ANSWER_FD)
		_exit(1);
	if (child_close_from(ANSWER_FD + 1) < 0)
		_exit(1);
	if (limit_resources() == 0 && become_nobody(parent) == 0) {
		(void)seccomp_enter_resolver(); /* where there is none, init says so of its own */
		resolve(q->name, servers, n_servers, &answer);
	}
	_exit(write(ANSWER_FD, &answer, sizeof answer) == (ssize_t)sizeof answer ? 0 : 1);
}

int resolver_run(const struct resolver_question *q, int answer_fd, enum child_of of, pid_t *ret_pid)
{
	pid_t parent;
	pid_t pid = child_fork(of, &parent);
	if (pid < 0)
		return (int)pid;
	if (pid == 0)
		child(q, answer_fd, parent);
	*ret_pid = pid;
	return 0;
}

static bool believable(const struct resolver_answer *a)
{
	if ((unsigned)a->verdict >= RESOLVER_VERDICTS || a->n > RESOLVER_ADDRS_MAX ||
	    (a->n > 0) != (a->verdict == RESOLVER_FOUND))
		return false;
	for (size_t i = 0; i < a->n; i++)
		if ((a->addrs[i].family != AF_INET && a->addrs[i].family != AF_INET6) ||
		    !can_be_sent_to(&a->addrs[i]))
			return false;
	return true;
}

int resolver_read(int fd, struct resolver_answer *ret_answer)
{
	struct resolver_answer a;
	ssize_t n;
	do
		n = read(fd, &a, sizeof a);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return -EAGAIN;
	if (n != (ssize_t)sizeof a || !believable(&a))
		a = (struct resolver_answer){ .verdict = RESOLVER_FAULT };
	*ret_answer = a;
	return 0;
}
