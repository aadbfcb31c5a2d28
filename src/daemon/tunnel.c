/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/tunnel.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/secret.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

enum {
	USERSPACE_START_MS = 5000,
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
		.host_ns = -1,
		.own_ns = -1,
		.settings = {
			.has_preshared_key = c->has_preshared_key,
			.endpoint = &c->wg_endpoint.sa,
			.listen_port = c->wg_listen_port,
			.keepalive_s = c->wg_keepalive_s,
			.n_allowed = c->n_allowed_ips,
		},
	};
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
	return t->wg.userspace ? "userspace" : "kernel";
}

static int make_kernel(struct tunnel *t)
{
	int r = wg_kernel_create(t->host_ns, t->own_ns, t->config->tunnel, &t->wg);
	struct link_info old;
	if (r != -EEXIST || link_get(t->own_rt, t->config->tunnel, &old) < 0 ||
	    strcmp(old.kind, "wireguard") != 0)
		return r;
	log_warn("tunnel", "removing the tunnel that a killed run left here",
		 kv_str("interface", old.name));
	r = link_delete(t->own_rt, old.ifindex);
	return r < 0 ? r : wg_kernel_create(t->host_ns, t->own_ns, t->config->tunnel, &t->wg);
}

static int make_userspace(struct tunnel *t, bool (*pause)(void *ctx), void *ctx)
{
	int r = wg_userspace_start(t->host_ns, t->config->tunnel, &t->wg);
	if (r < 0)
		return r;
	uint64_t until = clock_mono_ms() + USERSPACE_START_MS;
	for (;;) {
		r = wg_userspace_adopt(&t->wg, t->host_rt, t->own_ns, t->config->wg_mtu);
		if (r != -EAGAIN)
			return r;
		if (!pause(ctx))
			return -EINTR;
		if (clock_mono_ms() > until || (kill(t->wg.pid, 0) < 0 && errno == ESRCH))
			return -ETIMEDOUT;
	}
}

static int put_routes(struct tunnel *t)
{
	for (size_t i = 0; i < t->settings.n_allowed; i++) {
		const struct wg_allowed_ip *a = &t->settings.allowed[i];
		struct route r = { .type = ROUTE_VIA,
				   .oif = t->wg.ifindex,
				   .metric = ROUTE_METRIC_DEFAULT,
				   .prefix.plen = a->plen };
		if (a->family != AF_INET6)
			continue;
		memcpy(&r.prefix.addr, a->addr, sizeof r.prefix.addr);
		int e = route_put(t->routes, &r, 0);
		if (e < 0)
			return e;
	}
	int failed = route_commit(t->routes, NULL, NULL);
	return failed > 0 ? -EINVAL : failed;
}

/* The keys leave their place for as long as the kernel or wireguard-go takes to copy them. */
static int configure(struct tunnel *t)
{
	struct wg_settings s = t->settings;
	memcpy(s.private_key, t->keys->private_key, WG_KEY_BYTES);
	memcpy(s.preshared_key, t->keys->preshared_key, WG_KEY_BYTES);
	int r = wg_configure(&t->wg, &s);
	explicit_bzero(&s, sizeof s);
	secret_wipe_stack();
	return r;
}

static int set_up(struct tunnel *t)
{
	const struct config *c = t->config;
	int r = configure(t);
	if (r == 0)
		r = link_set_mtu(t->own_rt, t->wg.ifindex, c->wg_mtu);
	if (r == 0)
		r = link_set_no_autoconf(t->own_rt, t->wg.ifindex);
	if (r == 0)
		r = link_addr6_add(t->own_rt, t->wg.ifindex, &c->wg_address.addr,
				   c->wg_address.plen, true);
	if (r == 0)
		r = link_set_up(t->own_rt, t->wg.ifindex, true);
	return r < 0 ? r : put_routes(t);
}

int tunnel_make(struct tunnel *t, bool (*pause)(void *ctx), void *ctx)
{
	enum wg_backend backend = t->config->backend;
	t->wg = (struct wg_tunnel){ 0 };
	t->last = (struct wg_state){ 0 };
	int r = backend == WG_BACKEND_USERSPACE ? -EOPNOTSUPP : make_kernel(t);
	if (r == -EOPNOTSUPP && backend != WG_BACKEND_KERNEL) {
		if (backend == WG_BACKEND_AUTO)
			log_info("tunnel", "this kernel has no WireGuard, using wireguard-go");
		r = make_userspace(t, pause, ctx);
	}
	t->present = true;
	if (r == 0)
		r = set_up(t);
	if (r < 0) {
		(void)tunnel_remove(t); /* r is what the caller hears */
		return r;
	}
	t->made_at_ms = clock_mono_ms();
	return 0;
}

static void end_wireguard_go(const struct tunnel *t)
{
	if (t->wg.pid <= 0 || kill(t->wg.pid, SIGTERM) < 0)
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
	}
	t->wg = (struct wg_tunnel){ 0 };
	t->present = false;
	return r;
}

int tunnel_poll(struct tunnel *t)
{
	if (!t->present)
		return -ENODEV;
	struct link_info link;
	struct wg_state s;
	int r = link_get_by_index(t->own_rt, t->wg.ifindex, &link);
	if (r == 0)
		r = wg_get_state(&t->wg, &s);
	if (r == 0)
		t->last = s;
	return r;
}
