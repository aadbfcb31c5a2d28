/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tunnel.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/dns.h"
#include "host/routing.h"
#include "host/secret.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum {
	USERSPACE_START_MS = 20000, /* machines may be busy; where it cannot run it ends before */
	USERSPACE_END_MS = 500,
};

struct tunnel_keys {
	uint8_t private_key[WG_KEY_BYTES];
	uint8_t preshared_key[WG_KEY_BYTES];
};

int tunnel_init(struct tunnel *t, const struct config *c)
{
	*t = (struct tunnel){
		.config = c,
		.own_ns = -1,
		.settings = {
			.has_preshared_key = c->has_preshared_key,
			.listen_port = c->wg_listen_port,
			.keepalive_s = c->wg_keepalive_s,
			.n_allowed = c->n_allowed_ips,
		},
	};
	if (!c->wg_endpoint_name[0] && !c->wg_endpoint_zone[0]) {
		memcpy(&t->endpoint, &c->wg_endpoint, sizeof c->wg_endpoint);
		t->settings.endpoint = (const struct sockaddr *)&t->endpoint;
	}
	memcpy(t->settings.peer, c->wg_peer, WG_KEY_BYTES);
	for (size_t i = 0; i < c->n_allowed_ips; i++) {
		const struct ip_prefix *p = &c->allowed_ips[i];
		t->settings.allowed[i].family = p->family;
		t->settings.allowed[i].plen = p->plen;
		memcpy(t->settings.allowed[i].addr,
		       p->family == AF_INET ? (const void *)&p->v4 : (const void *)&p->v6,
		       p->family == AF_INET ? sizeof p->v4 : sizeof p->v6);
	}
	if (c->backend == WG_BACKEND_NONE)
		return 0;
	void *memory;
	int r = secret_new(sizeof *t->keys, &memory);
	if (r < 0)
		return r;
	t->keys = (struct tunnel_keys *)memory;
	memcpy(t->keys->private_key, c->wg_private_key, WG_KEY_BYTES);
	memcpy(t->keys->preshared_key, c->wg_preshared_key, WG_KEY_BYTES);
	return 0;
}

void tunnel_done(struct tunnel *t)
{
	secret_free(take_ptr(&t->keys), sizeof *t->keys);
}

const char *tunnel_backend(const struct tunnel *t)
{
	if (t->config->backend == WG_BACKEND_NONE)
		return NULL;
	return t->userspace ? "userspace" : "kernel";
}

static int make_kernel(struct tunnel *t)
{
	int r = wg_kernel_create(t->host_rt, t->own_ns, t->own_rt, t->config->tunnel, &t->wg);
	struct link_info old;
	if (r != -EEXIST || link_get(t->own_rt, t->config->tunnel, &old) < 0 ||
	    strcmp(old.kind, "wireguard") != 0)
		return r;
	log_warn("tunnel", "removing the tunnel that a killed run left here",
		 kv_str("interface", old.name));
	r = link_delete(t->own_rt, old.ifindex);
	return r < 0 ? r
		     : wg_kernel_create(t->host_rt, t->own_ns, t->own_rt, t->config->tunnel,
					&t->wg);
}

static struct route route_of(const struct tunnel *t, const struct wg_allowed_ip *a)
{
	struct route r = { .type = ROUTE_VIA,
			   .oif = t->wg.ifindex,
			   .metric = ROUTE_METRIC_DEFAULT,
			   .prefix.plen = a->plen };
	memcpy(&r.prefix.addr, a->addr, sizeof r.prefix.addr);
	return r;
}

static bool leads_here(const struct tunnel *t, size_t i)
{
	const struct wg_allowed_ip *a = &t->settings.allowed[i];
	struct in6_addr first;
	unsigned oif = 0;
	if (a->family != AF_INET6)
		return false;
	memcpy(&first, a->addr, sizeof first);
	return routing_out_if(&first, &oif) == 0 && oif == t->wg.ifindex;
}

static int put_routes(struct tunnel *t)
{
	for (size_t i = 0; i < t->settings.n_allowed; i++) {
		if (t->settings.allowed[i].family != AF_INET6)
			continue;
		const struct route r = route_of(t, &t->settings.allowed[i]);
		int e = route_put(t->routes, &r, 0);
		if (e < 0)
			return e;
	}
	const struct route dns = dns_route(t->wg.ifindex);
	int e = t->config->resolver ? route_put(t->routes, &dns, 0) : 0;
	int failed = e < 0 ? e : route_commit(t->routes, NULL, NULL);
	return failed > 0 ? -EINVAL : failed;
}

/* The keys leave their place for as long as the kernel or wireguard-go takes to copy them. */
static int with_keys(struct tunnel *t,
		     int (*set)(const struct wg_tunnel *wg, const struct wg_settings *s))
{
	struct wg_settings s = t->settings;
	memcpy(s.private_key, t->keys->private_key, WG_KEY_BYTES);
	memcpy(s.preshared_key, t->keys->preshared_key, WG_KEY_BYTES);
	int r = set(&t->wg, &s);
	explicit_bzero(&s, sizeof s);
	secret_wipe_stack();
	return r;
}

/* What the interface needs, whoever made it. */
static int furnish(struct tunnel *t)
{
	const struct config *c = t->config;
	int r = link_set_mtu(t->own_rt, t->wg.ifindex, c->wg_mtu);
	if (r == 0)
		r = link_set_no_autoconf(t->own_rt, t->wg.ifindex);
	if (r == 0)
		r = link_addr6_add(t->own_rt, t->wg.ifindex, &c->wg_address.addr,
				   c->wg_address.plen, true);
	if (r == 0 || r == -EEXIST)
		r = link_set_up(t->own_rt, t->wg.ifindex, true);
	return r < 0 ? r : put_routes(t);
}

static int set_up(struct tunnel *t)
{
	int r = with_keys(t, wg_configure);
	if (r == 0)
		r = furnish(t);
	if (r == -EADDRINUSE && !t->config->wg_listen_port && t->settings.listen_port) {
		t->settings.listen_port = 0; /* somebody took the one that it had */
		r = with_keys(t, wg_configure);
		if (r == 0)
			r = furnish(t);
	}
	for (size_t i = 0; r == 0 && i < t->settings.n_allowed; i++)
		t->routed[i] = leads_here(t, i);
	return r;
}

static void forget(struct tunnel *t)
{
	t->wg = (struct wg_tunnel){ 0 };
	t->present = t->starting = false;
}

/* The rest, where it is there; its end, where it failed. */
static int complete(struct tunnel *t, int r)
{
	if (r == -EAGAIN)
		return r;
	t->starting = false;
	if (r == 0)
		r = set_up(t);
	if (r < 0) {
		tunnel_drop(t);
		return r;
	}
	t->userspace = t->wg.userspace;
	t->made_at_ms = clock_mono_ms();
	return 0;
}

int tunnel_begin(struct tunnel *t)
{
	enum wg_backend backend = t->config->backend;
	t->wg = (struct wg_tunnel){ 0 };
	t->last = t->before = (struct wg_state){ 0 };
	t->present = true;
	int r = backend == WG_BACKEND_USERSPACE ? -EOPNOTSUPP : make_kernel(t);
	if (r != -EOPNOTSUPP || backend == WG_BACKEND_KERNEL)
		return complete(t, r);
	if (backend == WG_BACKEND_AUTO && !t->userspace) /* not each time that it is made again */
		log_info("tunnel", "this kernel has no WireGuard, using wireguard-go");
	r = wg_userspace_start(children_start_wireguard_go, t->children, t->config->tunnel, &t->wg);
	if (r < 0)
		return complete(t, r);
	t->starting = true;
	t->start_until_ms = clock_mono_ms() + USERSPACE_START_MS;
	return -EAGAIN;
}

int tunnel_go_on(struct tunnel *t)
{
	if (!t->starting)
		return -EINVAL;
	int r = wg_userspace_adopt(&t->wg, t->host_rt, t->own_ns, t->own_rt, t->config->wg_mtu);
	if (r == -EAGAIN && (clock_mono_ms() > t->start_until_ms || t->wg.pid == 0 ||
			     (kill(t->wg.pid, 0) < 0 && errno == ESRCH)))
		r = -ETIMEDOUT;
	return complete(t, r);
}

static void end_wireguard_go(const struct tunnel *t)
{
	struct link_info link;
	/* Without its interface it has nothing to put away. */
	bool useless =
		t->wg.ifindex && link_get_by_index(t->own_rt, t->wg.ifindex, &link) == -ENODEV;
	if (t->wg.pid <= 0 || kill(t->wg.pid, useless ? SIGKILL : SIGTERM) < 0)
		return;
	for (int waited = 0; waited < USERSPACE_END_MS; waited += 5) {
		if (waitpid(t->wg.pid, NULL, WNOHANG) != 0)
			return;     /* ended, or reaped by the loop before */
		(void)usleep(5000); /* a shorter sleep only asks more often */
	}
	(void)kill(t->wg.pid, SIGKILL);    /* it cannot be gone: it was not reaped */
	(void)waitpid(t->wg.pid, NULL, 0); /* a killed child ends */
}

int tunnel_remove(void *arg)
{
	struct tunnel *t = (struct tunnel *)arg;
	if (!t->present)
		return 0;
	int r = 0;
	if (t->wg.userspace) {
		end_wireguard_go(t); /* its TUN goes with it */
		wg_userspace_cleanup(&t->wg);
	} else if (t->wg.ifindex) {
		r = link_delete(t->own_rt, t->wg.ifindex);
		/* Nobody can tell us of it later: what the kernel is short of may be there now. */
		if (r < 0 && r != -ENODEV)
			r = link_delete(t->own_rt, t->wg.ifindex);
		if (r < 0 && r != -ENODEV)
			return r;
	}
	forget(t);
	return r;
}

void tunnel_drop(struct tunnel *t)
{
	if (tunnel_remove(t) < 0)
		forget(t);
}

int tunnel_set_endpoint(struct tunnel *t, const struct sockaddr_storage *to)
{
	if (to)
		t->endpoint = *to;
	t->settings.endpoint = to ? (const struct sockaddr *)&t->endpoint : NULL;
	if (!t->present || t->starting)
		return 0;
	int r = tunnel_poll(t); /* the last of its counters */
	if (r < 0)
		return r;
	t->before = t->last;
	return with_keys(t, wg_renew_peer);
}

static void add_what(char *what, const char *phrase)
{
	size_t n = strlen(what);
	(void)snprintf(what + n, TUNNEL_WHAT_MAX - n, "%s%s", n ? ", " : "", phrase); /* fits */
}

int tunnel_mend(struct tunnel *t, char ret_what[static TUNNEL_WHAT_MAX])
{
	struct link_info link;
	enum addr6_state address = ADDR6_ABSENT;
	ret_what[0] = '\0';
	if (!t->present || t->starting)
		return 0;
	int r = link_get_by_index(t->own_rt, t->wg.ifindex, &link);
	if (r == 0)
		r = link_addr6_state(t->own_rt, t->wg.ifindex, &t->config->wg_address.addr,
				     &address);
	if (r < 0)
		return r;
	if (!link.up)
		add_what(ret_what, "it was down");
	if (link.mtu != t->config->wg_mtu)
		add_what(ret_what, "another MTU");
	if (address == ADDR6_ABSENT)
		add_what(ret_what, "no address");
	for (size_t i = 0; i < t->settings.n_allowed; i++)
		if (t->routed[i] && !leads_here(t, i)) {
			add_what(ret_what, "no route");
			break;
		}
	return ret_what[0] ? furnish(t) : 0;
}

int tunnel_poll(struct tunnel *t)
{
	if (!t->present || t->starting)
		return -ENODEV;
	struct link_info link;
	struct wg_state s = { 0 };
	int r = link_get_by_index(t->own_rt, t->wg.ifindex, &link);
	if (r == 0)
		r = wg_get_state(&t->wg, &s);
	if (r < 0)
		return r;
	s.rx_bytes += t->before.rx_bytes;
	s.tx_bytes += t->before.tx_bytes;
	if (!s.handshake_unix_s)
		s.handshake_unix_s = t->before.handshake_unix_s;
	t->last = s;
	if (s.listen_port)
		t->settings.listen_port = s.listen_port;
	return 0;
}
