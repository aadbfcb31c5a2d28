/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/proc.h"
#include "host/wg_uapi.h"
#include "host/wireguard.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

enum {
	UAPI_TIMEOUT_S = 2,
	REQUEST_MAX = 4096,
	ANSWER_MAX = 8192,
	STALE_AFTER_S = 30,
	ERRNO_MAX = 4095, /* the kernel's bound */
};

/* Compiled into wireguard-go. */
#define SOCKET_DIR "/var/run/wireguard"

uint32_t wg_born_number(void)
{
	uint32_t random = 0;
	/* Cannot fail for so few bytes once the pool is ready; before that a fixed name does, and
	 * EEXIST tells of a clash. */
	(void)!getrandom(&random, sizeof random, 0);
	return random;
}

void wg_born_name(uint32_t number, char ret_name[static IFNAMSIZ])
{
	snprintf(ret_name, IFNAMSIZ, "vbng%08" PRIx32, number);
}

static void socket_path(const char *born_name, struct sockaddr_un *ret_at)
{
	*ret_at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret_at->sun_path, sizeof ret_at->sun_path, SOCKET_DIR "/%s.sock", born_name);
}

static int uapi_connect(const char *born_name, int *ret_fd)
{
	AUTO_CLOSE int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	struct timeval limit = { .tv_sec = UAPI_TIMEOUT_S };
	struct sockaddr_un at;
	socket_path(born_name, &at);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) < 0 ||
	    connect(fd, (const struct sockaddr *)&at, sizeof at) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* A device node alone does not say that it can be opened: a container's device rules may forbid it,
 * the driver may be missing. */
static int check_tun(void)
{
	AUTO_CLOSE int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	if (fd >= 0)
		return 0;
	return errno == ENOENT || errno == ENXIO ? -ENODEV : -errno;
}

/* Sockets that killed runs left here: nobody answers, and not because somebody is only just
 * beginning to listen. */
static void remove_stale_sockets(void)
{
	DIR *dir = opendir(SOCKET_DIR);
	if (!dir)
		return; /* then there are none */
	for (const struct dirent *e; (e = readdir(dir));) {
		char name[IFNAMSIZ + 8];
		size_t len = strlen(e->d_name);
		if (strncmp(e->d_name, "vbng", 4) != 0 || len < 5 || len >= sizeof name ||
		    strcmp(e->d_name + len - 5, ".sock") != 0)
			continue;
		memcpy(name, e->d_name, len - 5);
		name[len - 5] = '\0';
		struct stat st;
		AUTO_CLOSE int fd = -1;
		if (fstatat(dirfd(dir), e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    st.st_ctim.tv_sec + STALE_AFTER_S < time(NULL) &&
		    uapi_connect(name, &fd) == -ECONNREFUSED)
			(void)unlinkat(dirfd(dir), e->d_name,
				       0); /* it does no harm, it only stays */
	}
	(void)closedir(dir); /* read only */
}

int wg_userspace_run(uint32_t number, enum child_of of, pid_t *ret_pid)
{
	int r = check_tun();
	if (r < 0)
		return r;
	char program[] = "wireguard-go", foreground[] = "-f", link[IFNAMSIZ];
	wg_born_name(number, link);
	/* WG_PROCESS_FOREGROUND also keeps it from advertising the kernel's implementation. */
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	     process[] = "WG_PROCESS_FOREGROUND=1";
	/* At its own error level it complains of the TUN's move; what matters, its answers tell. */
	char quiet[] = "LOG_LEVEL=silent", verbose[] = "LOG_LEVEL=verbose";
	char *const argv[] = { program, foreground, link, NULL };
	char *const env[] = { path, log_enabled(LOG_DEBUG) ? verbose : quiet, process, NULL };
	const struct child_spec spec = {
		.argv = argv, .env = env, .privs = 1U << PRIV_NET_ADMIN, .parent = of
	};
	return child_spawn(&spec, ret_pid);
}

int wg_userspace_start(int (*run)(void *ctx, uint32_t number, pid_t *ret_pid), void *ctx,
		       const char *name, struct wg_tunnel *ret_tunnel)
{
	uint32_t number = wg_born_number();
	struct wg_tunnel t = { .userspace = true };
	strncpy(t.name, name, sizeof t.name - 1);
	wg_born_name(number, t.born_name);
	remove_stale_sockets();
	int r = run(ctx, number, &t.pid);
	if (r < 0)
		return r;
	*ret_tunnel = t;
	return 0;
}

/*
 * wireguard-go learns of its TUN from the rtnetlink events of the namespace it runs in; across
 * namespaces it looks only once a second, and the MTU it never learns. So the TUN gets its MTU and
 * is brought up before it moves, which opens the UDP socket; that it goes down with the move is no
 * news to wireguard-go, because it acts upon a "down" only together with an "up". Nothing leaves by
 * it meanwhile: it has no address, no route and no peer.
 */
static int raise(struct rtnl *host_rt, unsigned ifindex, uint32_t mtu)
{
	int r = link_set_mtu(host_rt, ifindex, mtu);
	if (r == 0)
		r = link_set_no_autoconf(host_rt, ifindex);
	return r < 0 ? r : link_set_up(host_rt, ifindex, true);
}

int wg_userspace_adopt(struct wg_tunnel *t, struct rtnl *host_rt, int own_ns, struct rtnl *own_rt,
		       uint32_t mtu)
{
	struct link_info link;
	struct wg_state state;
	int r = wg_uapi_state(t->born_name, &state);
	if (r < 0)
		return r == -ENOENT || r == -ECONNREFUSED ? -EAGAIN : r;
	r = link_get(host_rt, t->born_name, &link);
	if (r == 0 && !link.up)
		r = raise(host_rt, link.ifindex, mtu);
	if (r < 0)
		return r;
	if (state.listen_port == 0)
		return -EAGAIN; /* the news has not arrived */
	r = link_move(host_rt, link.ifindex, own_ns, own_rt, t->name);
	if (r == 0)
		r = link_get(own_rt, t->name, &link);
	if (r < 0)
		return r;
	t->ifindex = link.ifindex;
	return 0;
}

void wg_userspace_cleanup(const struct wg_tunnel *t)
{
	struct sockaddr_un at;
	socket_path(t->born_name, &at);
	(void)unlink(at.sun_path); /* gone already where wireguard-go ended by itself */
}

static int send_all(int fd, const char *bytes, size_t len)
{
	for (size_t at = 0; at < len;) {
		ssize_t n = send(fd, bytes + at, len - at, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* One request and its answer, as a string up to and without the empty line that ends it. */
static int uapi_ask(const char *born_name, const char *request, size_t len, char *answer,
		    size_t size)
{
	AUTO_CLOSE int fd = -1;
	int r = uapi_connect(born_name, &fd);
	if (r == 0)
		r = send_all(fd, request, len);
	if (r < 0)
		return r;
	uint64_t until = clock_mono_ms() + UAPI_TIMEOUT_S * 1000;
	size_t at = 0;
	while (at + 1 < size && clock_mono_ms() < until) {
		ssize_t n = recv(fd, answer + at, size - at - 1, 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n == 0 ? -ECONNRESET : errno == EAGAIN ? -ETIMEDOUT : -errno;
		at += (size_t)n;
		answer[at] = '\0';
		char *end = strstr(answer, "\n\n");
		if (end) {
			*end = '\0';
			return 0;
		}
	}
	return at + 1 < size ? -ETIMEDOUT : -EMSGSIZE;
}

static size_t put_hex(char *at, size_t room, const char *key,
		      const uint8_t bytes[static WG_KEY_BYTES])
{
	size_t n = (size_t)snprintf(at, room, "%s=", key);
	for (size_t i = 0; i < WG_KEY_BYTES && n + 3 < room; i++)
		n += (size_t)snprintf(at + n, room - n, "%02x", bytes[i]);
	return n + (size_t)snprintf(at + n, room - n, "\n");
}

static size_t put_endpoint(char *at, size_t room, const struct sockaddr *sa)
{
	char host[INET6_ADDRSTRLEN];
	if (sa->sa_family == AF_INET) {
		const struct sockaddr_in *v4 = (const struct sockaddr_in *)(const void *)sa;
		return (size_t)snprintf(at, room, "endpoint=%s:%u\n",
					inet_ntop(AF_INET, &v4->sin_addr, host, sizeof host),
					ntohs(v4->sin_port));
	}
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)(const void *)sa;
	char zone[16] = "";
	if (v6->sin6_scope_id)
		snprintf(zone, sizeof zone, "%%%u", v6->sin6_scope_id);
	return (size_t)snprintf(at, room, "endpoint=[%s%s]:%u\n",
				inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host), zone,
				ntohs(v6->sin6_port));
}

/* The request as text. Every part is bounded (keys, 32 allowed IPs), so that REQUEST_MAX holds them
 * all. */
static size_t compose(char request[static REQUEST_MAX], const struct wg_settings *s, bool all)
{
	static const uint8_t no_key[WG_KEY_BYTES];
	size_t n = (size_t)snprintf(request, REQUEST_MAX, "set=1\n");
	if (all) {
		n += put_hex(request + n, REQUEST_MAX - n, "private_key", s->private_key);
		n += (size_t)snprintf(request + n, REQUEST_MAX - n, "listen_port=%u\n",
				      s->listen_port);
	}
	n += (size_t)snprintf(request + n, REQUEST_MAX - n, "replace_peers=true\n");
	n += put_hex(request + n, REQUEST_MAX - n, "public_key", s->peer);
	n += put_hex(request + n, REQUEST_MAX - n, "preshared_key",
		     s->has_preshared_key ? s->preshared_key : no_key);
	if (s->endpoint)
		n += put_endpoint(request + n, REQUEST_MAX - n, s->endpoint);
	n += (size_t)snprintf(request + n, REQUEST_MAX - n,
			      "persistent_keepalive_interval=%u\nreplace_allowed_ips=true\n",
			      s->keepalive_s);
	for (size_t i = 0; i < s->n_allowed; i++) {
		char addr[INET6_ADDRSTRLEN];
		n += (size_t)snprintf(
			request + n, REQUEST_MAX - n, "allowed_ip=%s/%u\n",
			inet_ntop(s->allowed[i].family, s->allowed[i].addr, addr, sizeof addr),
			s->allowed[i].plen);
	}
	return n + (size_t)snprintf(request + n, REQUEST_MAX - n, "\n");
}

/* A number and nothing else; *ret_value is untouched where it is none. */
static bool read_number(const char *text, uint64_t max, uint64_t *ret_value)
{
	char *rest;
	errno = 0;
	unsigned long long v = strtoull(text, &rest, 10);
	if (text[0] < '0' || text[0] > '9' || *rest || errno || v > max)
		return false;
	*ret_value = v;
	return true;
}

/* The value of a line "errno=…", as a result: wireguard-go writes it with a sign or without. */
static int read_errno(const char *text)
{
	uint64_t code;
	return read_number(text + (*text == '-'), ERRNO_MAX, &code) ? -(int)code : -EPROTO;
}

int wg_uapi_read_answer(const char *text)
{
	static const char errno_line[] = "errno=";
	char value[16];
	size_t begin = sizeof errno_line - 1;
	if (strncmp(text, errno_line, begin) != 0)
		return -EPROTO;
	snprintf(value, sizeof value, "%.*s", (int)strcspn(text + begin, "\n"), text + begin);
	return read_errno(value);
}

int wg_uapi_configure(const char *born_name, const struct wg_settings *s, bool all)
{
	char request[REQUEST_MAX], answer[128];
	size_t len = compose(request, s, all);
	int r = uapi_ask(born_name, request, len, answer, sizeof answer);
	explicit_bzero(request, sizeof request);
	if (r < 0)
		return r;
	return wg_uapi_read_answer(answer);
}

static int parse_endpoint(const char *text, struct sockaddr_storage *ret_addr)
{
	char host[INET6_ADDRSTRLEN + IFNAMSIZ + 2];
	const char *colon = strrchr(text, ':');
	char *rest = NULL;
	unsigned long port = colon ? strtoul(colon + 1, &rest, 10) : 0;
	if (!colon || rest == colon + 1 || *rest || port > UINT16_MAX ||
	    (size_t)(colon - text) >= sizeof host)
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	size_t len = strlen(host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
		host[strcspn(host, "%")] = '\0'; /* the zone's name is the host's business */
		if (inet_pton(AF_INET6, host + 1, &v6.sin6_addr) != 1)
			return -EINVAL;
		memcpy(ret_addr, &v6, sizeof v6);
		return 0;
	}
	if (inet_pton(AF_INET, host, &v4.sin_addr) != 1)
		return -EINVAL;
	memcpy(ret_addr, &v4, sizeof v4);
	return 0;
}

/* 0 or -EPROTO; *answer is what errno= says. */
static int read_line(char *line, struct wg_state *s, int *answer)
{
	char *value = strchr(line, '=');
	uint64_t port = s->listen_port;
	bool good = true;
	if (!value)
		return 0;
	*value++ = '\0';
	if (strcmp(line, "errno") == 0)
		*answer = read_errno(value);
	else if (strcmp(line, "listen_port") == 0)
		good = read_number(value, UINT16_MAX, &port);
	else if (strcmp(line, "rx_bytes") == 0)
		good = read_number(value, UINT64_MAX, &s->rx_bytes);
	else if (strcmp(line, "tx_bytes") == 0)
		good = read_number(value, UINT64_MAX, &s->tx_bytes);
	else if (strcmp(line, "last_handshake_time_sec") == 0)
		good = read_number(value, INT64_MAX, &s->handshake_unix_s);
	else if (strcmp(line, "endpoint") == 0)
		(void)parse_endpoint(
			value, &s->endpoint); /* one that we cannot read is shown as unknown */
	s->listen_port = (uint16_t)port;
	return good ? 0 : -EPROTO;
}

int wg_uapi_read_state(char *text, struct wg_state *ret_state)
{
	struct wg_state s = { 0 };
	int answer = -EPROTO, r = 0;
	char *line;
	while (r == 0 && (line = strsep(&text, "\n")))
		r = read_line(line, &s, &answer);
	if (r < 0 || answer < 0)
		return r < 0 ? r : answer;
	*ret_state = s;
	return 0;
}

int wg_uapi_state(const char *born_name, struct wg_state *ret_state)
{
	static const char get[] = "get=1\n\n";
	char text[ANSWER_MAX];
	int r = uapi_ask(born_name, get, sizeof get - 1, text, sizeof text);
	if (r >= 0)
		r = wg_uapi_read_state(text, ret_state);
	explicit_bzero(text, sizeof text); /* private_key is among the lines */
	return r;
}
