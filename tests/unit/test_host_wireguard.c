/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two tunnels that are each other's peer: both born in "host", where their UDP meets on loopback,
 * one living in our namespace and one in a provider's. The same test for both backends; where the
 * kernel has no WireGuard or there is no TUN device, it is skipped.
 */
#include "unit/sandbox.h"

#include "base/clock.h"
#include "host/link.h"
#include "host/wireguard.h"

#include <signal.h>
#include <time.h>

enum { PAUSE_MS = 2, START_MS = 60000, HANDSHAKE_MS = 60000, PORT = 51820, MTU = 1388 };

static const char *const private_keys[] = {
	"e097412eb9a6f4192a6746d217260bf06eda918f5a2f1774d8c52e260fade07e",
	"a812610a30c20f20c587b2600ba28d53f9051df9fbf1a189c349424b3e74ca62"
};
static const char *const public_keys[] = {
	"9905dd0c0d86c3e8da57f24d2c6e9d7a5856102c459bf2ef7a3aafb459dc5e28",
	"9de162a12051ef316527c51d70c087f99c1222fc2e6f8c8fd52bbac8a3c5762c"
};
static const char psk[] = "338f1c8639f9efc388ec73269b0db07e06c7b054765c58cce023a00cab55b90a";

static void unhex(const char *hex, uint8_t key[static WG_KEY_BYTES])
{
	for (size_t i = 0; i < WG_KEY_BYTES; i++) {
		const char byte[] = { hex[2 * i], hex[2 * i + 1], '\0' };
		key[i] = (uint8_t)strtoul(byte, NULL, 16);
	}
}

static void pause_ms(unsigned ms)
{
	const struct timespec t = { .tv_nsec = (long)ms * 1000000 };
	(void)nanosleep(&t, NULL); /* the loops around it look at the clock */
}

struct side {
	bool userspace;
	int own_ns;
	int index; /* 0: ours, 1: the provider's */
	int result;
	struct wg_tunnel tunnel;
};

struct running {
	uint32_t number;
	pid_t pid;
};

static int run_here(void *ctx)
{
	struct running *r = (struct running *)ctx;
	return wg_userspace_run(r->number, CHILD_OF_US, &r->pid);
}

static int run_in_host(void *ctx, uint32_t number, pid_t *ret_pid)
{
	struct running r = { .number = number };
	int result = netns_call(*(const int *)ctx, run_here, &r);
	*ret_pid = r.pid;
	return result;
}

static int make_kernel(struct side *s, struct rtnl *host, struct rtnl *own)
{
	return wg_kernel_create(host, s->own_ns, own, "wg-test", &s->tunnel);
}

static int make_userspace(struct side *s, struct rtnl *host, struct rtnl *own)
{
	int r = wg_userspace_start(run_in_host, &sandbox.host_ns, "wg-test", &s->tunnel);
	if (r < 0)
		return r;
	uint64_t until = clock_mono_ms() + START_MS;
	while ((r = wg_userspace_adopt(&s->tunnel, host, s->own_ns, own, MTU)) == -EAGAIN &&
	       clock_mono_ms() < until)
		pause_ms(PAUSE_MS);
	struct link_info gone;
	assert_int_equal(link_get(host, s->tunnel.born_name, &gone), -ENODEV);
	return r;
}

static int make(struct side *s)
{
	struct rtnl *host = NULL, *own = NULL;
	assert_int_equal(rtnl_open(sandbox.host_ns, &host), 0);
	assert_int_equal(rtnl_open(-1, &own), 0);
	int r = s->userspace ? make_userspace(s, host, own) : make_kernel(s, host, own);
	rtnl_close(own);
	rtnl_close(host);
	return r;
}

static int make_and_configure(void *ctx)
{
	struct side *s = (struct side *)ctx;
	s->result = make(s);
	if (s->result < 0)
		return 0;
	struct sockaddr_in endpoint = { .sin_family = AF_INET,
					.sin_port = htons((uint16_t)(PORT + 1 - s->index)),
					.sin_addr = { .s_addr = htonl(INADDR_LOOPBACK) } };
	struct wg_settings settings = {
		.has_preshared_key = true,
		.endpoint = (const struct sockaddr *)(const void *)&endpoint,
		.listen_port = (uint16_t)(PORT + s->index),
		.keepalive_s = 25,
		.n_allowed = 2,
		.allowed = { { .family = AF_INET6, .plen = 0 },
			     { .family = AF_INET, .addr = { 192, 0, 2 }, .plen = 24 } }
	};
	unhex(private_keys[s->index], settings.private_key);
	unhex(public_keys[1 - s->index], settings.peer);
	unhex(psk, settings.preshared_key);
	assert_int_equal(wg_configure(&s->tunnel, &settings), 0);
	/* What was said is what it has. */
	struct wg_state state;
	assert_int_equal(wg_get_state(&s->tunnel, &state), 0);
	struct sockaddr_in at;
	memcpy(&at, &state.endpoint, sizeof at);
	assert_int_equal(at.sin_family, AF_INET);
	assert_int_equal(at.sin_port, endpoint.sin_port);
	assert_int_equal(at.sin_addr.s_addr, endpoint.sin_addr.s_addr);

	struct rtnl *own;
	struct link_info link;
	assert_int_equal(rtnl_open(-1, &own), 0);
	assert_int_equal(link_get(own, "wg-test", &link), 0);
	assert_int_equal(link.ifindex, s->tunnel.ifindex);
	assert_string_equal(link.kind, s->userspace ? "tun" : "wireguard");
	assert_false(link.up);
	if (s->userspace)
		assert_int_equal(link.mtu, MTU);
	assert_int_equal(link_set_no_autoconf(own, link.ifindex), 0);
	struct in6_addr addr = unit_in6(s->index ? "fd00::2" : "fd00::1");
	assert_int_equal(link_addr6_add(own, link.ifindex, &addr, 64, true), 0);
	assert_int_equal(link_set_up(own, link.ifindex, true), 0);
	rtnl_close(own);
	return 0;
}

static int take_away(void *ctx)
{
	struct side *s = (struct side *)ctx;
	struct rtnl *own;
	assert_int_equal(rtnl_open(-1, &own), 0);
	if (s->userspace) {
		assert_int_equal(kill(s->tunnel.pid, SIGKILL), 0);
		assert_int_equal(waitpid(s->tunnel.pid, NULL, 0), s->tunnel.pid);
		wg_userspace_cleanup(&s->tunnel);
	} else {
		assert_int_equal(link_delete(own, s->tunnel.ifindex), 0);
	}
	struct link_info gone;
	assert_int_equal(link_get(own, "wg-test", &gone), -ENODEV);
	struct wg_state state;
	assert_true(wg_get_state(&s->tunnel, &state) < 0);
	rtnl_close(own);
	return 0;
}

static void carries_packets(bool userspace)
{
	int provider_ns = -1;
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	run("ip link set lo up");
	assert_int_equal(netns_open_own(&provider_ns), 0);
	assert_int_equal(setns(sandbox.own_ns, CLONE_NEWNET), 0);

	struct side ours = { .userspace = userspace, .own_ns = sandbox.own_ns, .index = 0 };
	struct side provider = { .userspace = userspace, .own_ns = provider_ns, .index = 1 };
	assert_int_equal(netns_call(provider_ns, make_and_configure, &provider), 0);
	if (provider.result == -EOPNOTSUPP || provider.result == -ENODEV ||
	    provider.result == -ENOENT) {
		print_message("# skipped: no %s\n", userspace ? "TUN device or wireguard-go"
							      : "WireGuard in this kernel");
		(void)close(provider_ns); /* the namespace ends with its last user */
		skip_because(userspace ? "no TUN device or no wireguard-go"
				       : "no WireGuard in this kernel");
	}
	assert_int_equal(provider.result, 0);
	uint64_t start = clock_mono_ms();
	assert_int_equal(make_and_configure(&ours), 0);
	assert_int_equal(ours.result, 0);
	uint64_t made = clock_mono_ms();

	struct wg_state state = { 0 };
	while (state.handshake_unix_s == 0 && clock_mono_ms() < made + HANDSHAKE_MS) {
		assert_int_equal(wg_get_state(&ours.tunnel, &state), 0);
		pause_ms(PAUSE_MS);
	}
	uint64_t shaken = clock_mono_ms();
	print_message("# %s: made in %u ms, handshake %u ms after that\n",
		      userspace ? "userspace" : "kernel", (unsigned)(made - start),
		      (unsigned)(shaken - made));
	assert_true(state.handshake_unix_s > 0);
	assert_in_range(state.handshake_unix_s, clock_unix_ms() / 1000 - 60,
			clock_unix_ms() / 1000 + 1);
	run("ping -6 -n -c 3 -i 0.05 -W 2 fd00::2 >/dev/null");
	assert_int_equal(wg_get_state(&ours.tunnel, &state), 0);
	assert_true(state.rx_bytes > 300);
	assert_true(state.tx_bytes > 300);
	assert_int_equal(state.listen_port, PORT);
	/* Its UDP is the host's. */
	char command[128];
	(void)snprintf(command, sizeof command, "ss -Hlun 'sport = :%d' | grep -q :%d", PORT, PORT);
	run_in(sandbox.host_ns, command);
	(void)snprintf(command, sizeof command, "! ss -Hlun 'sport = :%d' | grep -q :%d", PORT,
		       PORT);
	run(command);
	assert_int_equal(take_away(&ours), 0);
	assert_int_equal(netns_call(provider_ns, take_away, &provider), 0);
	(void)close(provider_ns); /* the namespace ends with its last user */
}

static void kernel_tunnel_carries_packets(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	carries_packets(false);
}

static void userspace_tunnel_carries_packets(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	carries_packets(true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kernel_tunnel_carries_packets),
		cmocka_unit_test(userspace_tunnel_carries_packets),
	};
	return cmocka_run_group_tests(tests, sandbox_enter, sandbox_leave);
}
