/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "base/cleanup.h"
#include "host/netns.h"
#include "host/proc.h"
#include "host/wg_uapi.h"
#include "host/wireguard.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

enum { UAPI_TIMEOUT_S = 2, REQUEST_MAX = 4096 };

void wg_born_name(char ret_name[static IFNAMSIZ])
{
	uint32_t random = 0;
	/* Cannot fail for so few bytes once the pool is ready; before that a fixed name does, and
	 * EEXIST tells of a clash. */
	(void)!getrandom(&random, sizeof random, 0);
	snprintf(ret_name, IFNAMSIZ, "vbng%08" PRIx32, random);
}

static void socket_path(const char *born_name, struct sockaddr_un *ret_at)
{
	*ret_at = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret_at->sun_path, sizeof ret_at->sun_path, "/var/run/wireguard/%s.sock",
		 born_name);
}

int wg_userspace_start(int host_ns, const char *name, struct wg_tunnel *ret_tunnel)
{
	if (access("/dev/net/tun", R_OK | W_OK) < 0)
		return -ENODEV;
	struct wg_tunnel t = { .userspace = true };
	strncpy(t.name, name, sizeof t.name - 1);
	wg_born_name(t.born_name);
	char program[] = "wireguard-go", foreground[] = "-f";
	/* WG_PROCESS_FOREGROUND also keeps it from advertising the kernel's implementation. */
	char path[] = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	     quiet[] = "LOG_LEVEL=error", process[] = "WG_PROCESS_FOREGROUND=1";
	char *const argv[] = { program, foreground, t.born_name, NULL };
	char *const env[] = { path, quiet, process, NULL };
	const struct child_spec spec = { .argv = argv, .env = env, .netns_fd = host_ns };
	int r = child_spawn(&spec, &t.pid);
	if (r < 0)
		return r;
	*ret_tunnel = t;
	return 0;
}

int wg_userspace_adopt(struct wg_tunnel *t, struct rtnl *host_rt, int own_ns)
{
	struct sockaddr_un at;
	socket_path(t->born_name, &at);
	if (access(at.sun_path, F_OK) < 0)
		return -EAGAIN;
	struct link_info link;
	int r = link_get(host_rt, t->born_name, &link);
	if (r < 0)
		return r == -ENODEV ? -EAGAIN : r;
	r = link_move(host_rt, link.ifindex, own_ns, t->name);
	if (r < 0)
		return r;
	struct rtnl *own_rt = NULL;
	r = rtnl_open(-1, &own_rt);
	if (r == 0)
		r = link_get(own_rt, t->name, &link);
	rtnl_close(own_rt);
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

static int uapi_connect(const char *born_name, FILE **ret_stream)
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
	FILE *f = fdopen(fd, "r+");
	if (!f)
		return -errno;
	(void)take_fd(&fd);          /* the stream's now */
	setvbuf(f, NULL, _IONBF, 0); /* no copy of a key stays in a buffer of stdio's */
	*ret_stream = f;
	return 0;
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
	return (size_t)snprintf(at, room, "endpoint=[%s]:%u\n",
				inet_ntop(AF_INET6, &v6->sin6_addr, host, sizeof host),
				ntohs(v6->sin6_port));
}

/* The request as text. Every part is bounded (keys, 32 allowed IPs), so that REQUEST_MAX holds them
 * all. */
static size_t compose(char request[static REQUEST_MAX], const struct wg_settings *s)
{
	static const uint8_t no_key[WG_KEY_BYTES];
	size_t n = (size_t)snprintf(request, REQUEST_MAX, "set=1\n");
	n += put_hex(request + n, REQUEST_MAX - n, "private_key", s->private_key);
	n += (size_t)snprintf(request + n, REQUEST_MAX - n, "listen_port=%u\nreplace_peers=true\n",
			      s->listen_port);
	n += put_hex(request + n, REQUEST_MAX - n, "public_key", s->peer);
	n += put_hex(request + n, REQUEST_MAX - n, "preshared_key",
		     s->has_preshared_key ? s->preshared_key : no_key);
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

int wg_uapi_configure(const char *born_name, const struct wg_settings *s)
{
	FILE *f = NULL;
	int r = uapi_connect(born_name, &f);
	if (r < 0)
		return r;
	char request[REQUEST_MAX];
	size_t len = compose(request, s);
	bool sent = fwrite(request, 1, len, f) == len;
	explicit_bzero(request, sizeof request);
	char line[128];
	int answer = -EPROTO;
	if (sent && fgets(line, sizeof line, f) && sscanf(line, "errno=%d", &answer) == 1)
		answer = answer > 0 ? -answer : answer;
	(void)fclose(f); /* the answer has been read */
	return answer;
}

static int parse_endpoint(const char *text, struct sockaddr_storage *ret_addr)
{
	char host[INET6_ADDRSTRLEN + 2];
	const char *colon = strrchr(text, ':');
	unsigned port;
	if (!colon || sscanf(colon + 1, "%u", &port) != 1 || port > UINT16_MAX ||
	    (size_t)(colon - text) >= sizeof host)
		return -EINVAL;
	memcpy(host, text, (size_t)(colon - text));
	host[colon - text] = '\0';
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
	size_t len = strlen(host);
	if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
		host[len - 1] = '\0';
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

int wg_uapi_state(const char *born_name, struct wg_state *ret_state)
{
	FILE *f = NULL;
	int r = uapi_connect(born_name, &f);
	if (r < 0)
		return r;
	struct wg_state s = { 0 };
	char line[256];
	int answer = -EPROTO;
	if (fputs("get=1\n\n", f) >= 0) {
		while (fgets(line, sizeof line, f) && line[0] != '\n') {
			line[strcspn(line, "\n")] = '\0';
			char *value = strchr(line, '=');
			if (!value)
				continue;
			*value++ = '\0';
			if (strcmp(line, "errno") == 0)
				answer = -(int)strtol(value, NULL, 10);
			else if (strcmp(line, "listen_port") == 0)
				s.listen_port = (uint16_t)strtoul(value, NULL, 10);
			else if (strcmp(line, "rx_bytes") == 0)
				s.rx_bytes = strtoull(value, NULL, 10);
			else if (strcmp(line, "tx_bytes") == 0)
				s.tx_bytes = strtoull(value, NULL, 10);
			else if (strcmp(line, "last_handshake_time_sec") == 0)
				s.handshake_unix_s = strtoull(value, NULL, 10);
			else if (strcmp(line, "endpoint") == 0)
				(void)parse_endpoint(value, &s.endpoint); /* one that we cannot read
									     is shown as unknown */
			explicit_bzero(value, strlen(value)); /* private_key is among the lines */
		}
	}
	(void)fclose(f); /* the answer has been read */
	if (answer < 0)
		return answer;
	*ret_state = s;
	return 0;
}
