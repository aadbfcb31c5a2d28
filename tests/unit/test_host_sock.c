/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both packet sockets, on one end of a veth pair; the subscribers are sockets at its other end, in
 * the other namespace. */
#include "unit/sandbox.h"

#include "base/cleanup.h"
#include "host/dhcp6_frames.h"
#include "host/dhcp6_sock.h"
#include "host/link.h"
#include "host/nd_sock.h"

#include <netinet/icmp6.h>
#include <poll.h>
#include <sys/socket.h>

enum { WAIT_MS = 60000, BURST = 1000, BIG = DHCP6_SOCK_PACKET_MAX + 100 };

static unsigned our_index, their_index;
static uint8_t buffers[DHCP6_SOCK_BATCH][DHCP6_SOCK_PACKET_MAX];
static struct dhcp6_sock_memory memory;

static int make_link(void **state)
{
	if (sandbox_enter(state) < 0 || !sandbox.made)
		return sandbox.made ? -1 : 0;
	run("ip link add sub0 type veth peer name cpe0 && ip link set sub0 addrgenmode none");
	struct rtnl *own, *host;
	struct link_info ours, theirs;
	if (rtnl_open(-1, &own) < 0 || rtnl_open(sandbox.host_ns, &host) < 0 ||
	    link_get(own, "sub0", &ours) < 0 || link_get(own, "cpe0", &theirs) < 0 ||
	    link_move(own, theirs.ifindex, sandbox.host_ns, host, "cpe0") < 0 ||
	    link_get(host, "cpe0", &theirs) < 0)
		return -1;
	our_index = ours.ifindex;
	their_index = theirs.ifindex;
	rtnl_close(own);
	rtnl_close(host);
	run("ip link set sub0 mtu 9000 up && ip -6 addr add fe80::1/64 dev sub0 nodad && ip -6 "
	    "addr add 2001:db8::1/64 dev sub0 nodad");
	run_in(sandbox.host_ns,
	       "ip link set cpe0 addrgenmode none && ip link set cpe0 mtu 9000 up && "
	       "ip -6 addr add fe80::c/64 dev cpe0 nodad && ip -6 addr add 2001:db8::c/64 dev cpe0 "
	       "nodad");
	return 0;
}

/* A subscriber's socket: fe80::c, the given type. */
static int subscriber(int type, int protocol, uint16_t port)
{
	int fd = -1, size = 1 << 24, hops = 255;
	assert_int_equal(netns_socket(sandbox.host_ns, AF_INET6, type, protocol, &fd), 0);
	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "cpe0", 5), 0);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size,
			 sizeof size); /* what there is must do */
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops), 0);
	assert_int_equal(setsockopt(fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops), 0);
	struct sockaddr_in6 at = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_addr = unit_in6("fe80::c"),
				   .sin6_scope_id = their_index };
	assert_int_equal(bind(fd, (const struct sockaddr *)&at, sizeof at), 0);
	return fd;
}

static void send_to(int fd, const char *dst, uint16_t port, const void *bytes, size_t len)
{
	struct sockaddr_in6 to = { .sin6_family = AF_INET6,
				   .sin6_port = htons(port),
				   .sin6_addr = unit_in6(dst),
				   .sin6_scope_id = their_index };
	assert_int_equal(sendto(fd, bytes, len, 0, (const struct sockaddr *)&to, sizeof to), len);
}

static bool readable(int fd, int wait_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return poll(&p, 1, wait_ms) == 1;
}

/* A message, until it is with the server's UDP socket: the one for frames had it before. */
static void arrives(int cpe, struct dhcp6_sock *s, char text)
{
	char got = 0;
	send_to(cpe, "ff02::1:2", 547, &text, 1);
	assert_true(readable(dhcp6_sock_fd(s), WAIT_MS));
	assert_int_equal(recv(dhcp6_sock_fd(s), &got, 1, 0), 1);
	assert_int_equal(got, text);
}

static bool is_from(const struct dhcp6_frames *f, const struct in6_addr *src, char text,
		    uint8_t ret_lladdr[static 6])
{
	const struct dhcp6_packet p = {
		.bytes = (const uint8_t *)&text, .len = 1, .src = *src, .src_port = 546
	};
	return dhcp6_frames_sender(f, &p, ret_lladdr);
}

/* The answers' checksums are judged by the subscriber's kernel. */
static void frames_tell_their_sender_and_answers_go_straight_to_it(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct dhcp6_frames *f = NULL;
	struct dhcp6_sock *s = NULL;
	uint8_t lladdr[6];
	struct in6_addr cpe_addr = unit_in6("fe80::c"), us = unit_in6("fe80::1");
	assert_int_equal(dhcp6_frames_open("lo", 1, &f), -ENOTSUP);
	assert_int_equal(dhcp6_frames_open("sub0", our_index, &f), 0);
	assert_int_equal(dhcp6_sock_open("sub0", our_index, &s), 0);
	assert_int_equal(dhcp6_frames_max(f), 9000 - 48);
	dhcp6_frames_learn(f);
	assert_false(is_from(f, &cpe_addr, 'w', lladdr));

	int cpe = subscriber(SOCK_DGRAM, 0, 546), other = subscriber(SOCK_DGRAM, 0, 10546);
	send_to(other, "ff02::2", 548, "no DHCPv6", 9);
	run_in(sandbox.host_ns, "ip link set cpe0 address 02:00:00:00:00:0c");
	arrives(cpe, s, 'w');
	dhcp6_frames_learn(f);
	assert_true(is_from(f, &cpe_addr, 'w', lladdr));
	assert_memory_equal(lladdr, "\2\0\0\0\0\x0c", 6);
	assert_false(is_from(f, &us, 'w', lladdr));

	/* What another says in its name, and what it repeats of it, does not take its place. */
	arrives(cpe, s, 'x');
	run_in(sandbox.host_ns, "ip link set cpe0 address 02:00:00:00:00:0d");
	arrives(cpe, s, 'y');
	arrives(cpe, s, 'x');
	dhcp6_frames_learn(f);
	arrives(cpe, s, 'x');
	dhcp6_frames_learn(f);
	assert_true(is_from(f, &cpe_addr, 'y', lladdr));
	assert_memory_equal(lladdr, "\2\0\0\0\0\x0d", 6);
	assert_true(is_from(f, &cpe_addr, 'x', lladdr));
	assert_memory_equal(lladdr, "\2\0\0\0\0\x0c", 6);
	/* Long after that it is somebody's who says so. */
	for (unsigned i = 0; i < 3; i++)
		dhcp6_frames_learn(f);
	arrives(cpe, s, 'x');
	dhcp6_frames_learn(f);
	assert_true(is_from(f, &cpe_addr, 'x', lladdr));
	assert_memory_equal(lladdr, "\2\0\0\0\0\x0d", 6);
	run_in(sandbox.host_ns, "ip link set cpe0 address 02:00:00:00:00:0c");
	arrives(cpe, s, 'z');
	dhcp6_frames_learn(f);
	assert_true(is_from(f, &cpe_addr, 'z', lladdr));
	assert_memory_equal(lladdr, "\2\0\0\0\0\x0c", 6);

	/* Lengths of all kinds of tails, and one that no frame of the link holds. */
	static uint8_t bytes[10000];
	struct dhcp6_frame_out out[9];
	for (size_t i = 0; i < 9; i++) {
		out[i] = (struct dhcp6_frame_out){
			.out = { .bytes = bytes, .dst = cpe_addr, .dst_port = 546 }
		};
		out[i].out.len = i == 3 ? sizeof bytes : i == 8 ? 8952 : 100 + i;
		memcpy(out[i].lladdr, lladdr, 6);
	}
	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * 7 + 1);
	run("ip -6 neigh flush dev sub0");
	size_t failed = 0;
	assert_int_equal(dhcp6_frames_send(f, &us, out, 9, &failed), 8);
	assert_int_equal(failed, 1);
	for (size_t i = 0; i < 9; i++) {
		static uint8_t text[10000];
		struct sockaddr_in6 from;
		socklen_t len = sizeof from;
		if (i == 3)
			continue;
		assert_true(readable(cpe, WAIT_MS));
		assert_int_equal(
			recvfrom(cpe, text, sizeof text, 0, (struct sockaddr *)&from, &len),
			out[i].out.len);
		assert_memory_equal(text, bytes, out[i].out.len);
		assert_memory_equal(&from.sin6_addr, &us, sizeof us);
		assert_int_equal(ntohs(from.sin6_port), 547);
	}
	run("test -z \"$(ip -6 neigh show dev sub0 | grep fe80::c)\"");
	(void)close(cpe);   /* read to its end */
	(void)close(other); /* likewise */
	dhcp6_frames_close(f);
	dhcp6_frames_close(NULL);
	dhcp6_sock_close(s);
}

/* Told by all of what is said: what follows after equal hundreds of bytes counts. */
static void messages_of_one_beginning_and_length_have_senders_of_their_own(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	static uint8_t said[2][DHCP6_SOCK_PACKET_MAX];
	static uint8_t got[DHCP6_SOCK_PACKET_MAX];
	struct dhcp6_frames *f = NULL;
	struct dhcp6_sock *s = NULL;
	assert_int_equal(dhcp6_frames_open("sub0", our_index, &f), 0);
	assert_int_equal(dhcp6_sock_open("sub0", our_index, &s), 0);
	int cpe = subscriber(SOCK_DGRAM, 0, 546);
	said[1][sizeof said[1] - 1] = 1;
	uint8_t lladdr[6];
	for (size_t i = 0; i < 2; i++) {
		run_in(sandbox.host_ns, i ? "ip link set cpe0 address 02:00:00:00:00:0d"
					  : "ip link set cpe0 address 02:00:00:00:00:0c");
		const struct dhcp6_packet p = { .bytes = said[i],
						.len = sizeof said[i],
						.src = unit_in6("fe80::c"),
						.src_port = 546 };
		assert_false(dhcp6_frames_sender(f, &p, lladdr));
		send_to(cpe, "ff02::1:2", 547, said[i], sizeof said[i]);
		assert_true(readable(dhcp6_sock_fd(s), WAIT_MS));
		assert_int_equal(recv(dhcp6_sock_fd(s), got, sizeof got, 0), sizeof got);
		dhcp6_frames_learn(f);
		assert_true(dhcp6_frames_sender(f, &p, lladdr));
		assert_memory_equal(lladdr, i ? "\2\0\0\0\0\x0d" : "\2\0\0\0\0\x0c", 6);
	}
	(void)close(cpe); /* read to its end */
	dhcp6_frames_close(f);
	dhcp6_sock_close(s);
}

/* However often was looked meanwhile: it is the time that counts. */
static void a_frame_of_long_ago_tells_no_sender(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct dhcp6_frames *f = NULL;
	struct dhcp6_sock *s = NULL;
	uint8_t lladdr[6];
	const struct in6_addr cpe_addr = unit_in6("fe80::c");
	assert_int_equal(dhcp6_frames_open("sub0", our_index, &f), 0);
	assert_int_equal(dhcp6_sock_open("sub0", our_index, &s), 0);
	int cpe = subscriber(SOCK_DGRAM, 0, 546);
	arrives(cpe, s, 'o');
	dhcp6_frames_learn(f);
	for (unsigned i = 0; i < 65536; i++)
		dhcp6_frames_learn(f);
	(void)sleep(6); /* ended early, the next line says so */
	dhcp6_frames_learn(f);
	assert_false(is_from(f, &cpe_addr, 'o', lladdr));
	run_in(sandbox.host_ns, "ip link set cpe0 address 02:00:00:00:00:0e");
	arrives(cpe, s, 'o');
	dhcp6_frames_learn(f);
	assert_true(is_from(f, &cpe_addr, 'o', lladdr));
	assert_memory_equal(lladdr, "\2\0\0\0\0\x0e", 6);
	(void)close(cpe); /* read to its end */
	dhcp6_frames_close(f);
	dhcp6_sock_close(s);
}

static void dhcp6_packets_come_with_their_circumstances(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	static struct dhcp6_packet in[DHCP6_SOCK_BATCH];
	struct dhcp6_sock *s = NULL, *second = NULL;
	assert_int_equal(dhcp6_sock_open("sub0", our_index, &s), 0);
	assert_true(fcntl(dhcp6_sock_fd(s), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(dhcp6_sock_open("sub0", our_index, &second), -EADDRINUSE);
	assert_int_equal(dhcp6_sock_open("nonesuch", 4242, &second), -ENODEV);
	dhcp6_sock_receive_into(s, &memory, buffers[0], sizeof buffers[0]);
	assert_int_equal(dhcp6_sock_receive(s, in), 0);

	int cpe = subscriber(SOCK_DGRAM, 0, 546), relay = subscriber(SOCK_DGRAM, 0, 10547);
	send_to(cpe, "ff02::1:2", 547, "\001abc", 4);
	send_to(relay, "ff05::1:3", 547, "\014relay", 6);
	static const uint8_t big[BIG] = { 7 };
	send_to(cpe, "ff02::1:2", 547, big, sizeof big);
	/* Last, for it may have to wait for neighbour discovery, which the groups need not. */
	send_to(cpe, "fe80::1", 547, "x", 1);
	int n = 0;
	while (n < 4 && readable(dhcp6_sock_fd(s), WAIT_MS)) {
		struct dhcp6_packet more[DHCP6_SOCK_BATCH];
		int m = dhcp6_sock_receive(s, more);
		assert_true(m > 0);
		if (n == 0)
			assert_memory_equal(more[0].bytes, "\001abc", 4);
		for (int i = 0; i < m; i++)
			in[n + i] = more[i];
		n += m;
	}
	assert_int_equal(n, 4);
	struct in6_addr cpe_addr = unit_in6("fe80::c"), group = unit_in6("ff02::1:2"),
			relays = unit_in6("ff05::1:3"), us = unit_in6("fe80::1");
	assert_int_equal(in[0].len, 4);
	assert_int_equal(in[0].src_port, 546);
	assert_int_equal(in[0].hop_limit, 255);
	assert_int_equal(in[0].ifindex, our_index);
	assert_false(in[0].truncated);
	assert_memory_equal(&in[0].src, &cpe_addr, sizeof cpe_addr);
	assert_memory_equal(&in[0].dst, &group, sizeof group);
	assert_int_equal(in[1].src_port, 10547);
	assert_memory_equal(&in[1].dst, &relays, sizeof relays);
	assert_true(in[2].truncated);
	assert_memory_equal(&in[3].dst, &us, sizeof us);

	/* Answers: from our link-local address, port 547; one that cannot be sent holds up nobody.
	 */
	const struct dhcp6_out out[] = {
		{ .bytes = (const uint8_t *)"one", .len = 3, .dst = cpe_addr, .dst_port = 546 },
		{ .bytes = (const uint8_t *)"lost",
		  .len = 4,
		  .dst = unit_in6("2001:db8:dead::1"),
		  .dst_port = 546 },
		{ .bytes = (const uint8_t *)"two", .len = 3, .dst = cpe_addr, .dst_port = 546 },
	};
	size_t failed = 0;
	assert_int_equal(dhcp6_sock_send(s, out, 3, &failed), 2);
	assert_int_equal(failed, 1);
	assert_int_equal(dhcp6_sock_send(s, out, 0, NULL), 0);
	for (int i = 0; i < 2; i++) {
		char text[16];
		struct sockaddr_in6 from;
		socklen_t len = sizeof from;
		assert_true(readable(cpe, WAIT_MS));
		assert_int_equal(
			recvfrom(cpe, text, sizeof text, 0, (struct sockaddr *)&from, &len), 3);
		assert_memory_equal(text, i ? "two" : "one", 3);
		assert_memory_equal(&from.sin6_addr, &us, sizeof us);
		assert_int_equal(ntohs(from.sin6_port), 547);
	}
	(void)close(cpe);   /* read to its end */
	(void)close(relay); /* likewise */
	dhcp6_sock_close(s);
	dhcp6_sock_close(NULL);
}

static void dhcp6_burst_is_not_lost(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	static struct dhcp6_packet in[DHCP6_SOCK_BATCH];
	struct dhcp6_sock *s = NULL;
	assert_int_equal(dhcp6_sock_open("sub0", our_index, &s), 0);
	dhcp6_sock_receive_into(s, &memory, buffers[0], sizeof buffers[0]);
	int cpe = subscriber(SOCK_DGRAM, 0, 546);
	uint8_t packet[1400] = { 0 };
	for (uint32_t i = 0; i < BURST; i++) {
		memcpy(packet, &i, sizeof i);
		send_to(cpe, "ff02::1:2", 547, packet, sizeof packet);
	}
	uint32_t next = 0;
	while (next < BURST && readable(dhcp6_sock_fd(s), WAIT_MS)) {
		int n = dhcp6_sock_receive(s, in);
		assert_true(n > 0);
		for (int i = 0; i < n; i++, next++)
			assert_memory_equal(in[i].bytes, &next, sizeof next);
	}
	assert_int_equal(next, BURST);
	/* And as many answers, more than a batch of the kernel's. */
	static struct dhcp6_out out[BURST];
	for (uint32_t i = 0; i < BURST; i++)
		out[i] = (struct dhcp6_out){ .bytes = packet,
					     .len = sizeof packet,
					     .dst = unit_in6("fe80::c"),
					     .dst_port = 546 };
	size_t failed = 1;
	assert_int_equal(dhcp6_sock_send(s, out, BURST, &failed), BURST);
	assert_int_equal(failed, 0);
	(void)close(cpe); /* what it did not read is not looked at */
	dhcp6_sock_close(s);
}

static void dhcp6_hears_its_own_link_only(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct dhcp6_sock *s = NULL, *other = NULL;
	run("ip link add other0 type veth peer name other1 && ip link set other0 up && ip link set "
	    "other1 up");
	assert_int_equal(dhcp6_sock_open("sub0", our_index, &s), 0);
	struct rtnl *own;
	struct link_info l;
	assert_int_equal(rtnl_open(-1, &own), 0);
	assert_int_equal(link_get(own, "other0", &l), 0);
	rtnl_close(own);
	assert_int_equal(dhcp6_sock_open("other0", l.ifindex, &other),
			 0); /* two instances beside each other */
	int cpe = subscriber(SOCK_DGRAM, 0, 546);
	send_to(cpe, "ff02::1:2", 547, "here", 4);
	assert_true(readable(dhcp6_sock_fd(s), WAIT_MS));
	assert_false(readable(dhcp6_sock_fd(other), 50));
	(void)close(cpe); /* nothing was sent to it */
	dhcp6_sock_close(s);
	dhcp6_sock_close(other);
	run("ip link del other0");
}

static const uint8_t solicitation[] = {
	ND_ROUTER_SOLICIT, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 0, 0, 0, 0, 0xc
};

static void nd_takes_solicitations_and_others_advertisements(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nd_packet in[ND_SOCK_BATCH];
	struct nd_sock *s = NULL;
	assert_int_equal(nd_sock_open("sub0", our_index, &s), 0);
	assert_true(fcntl(nd_sock_fd(s), F_GETFD) & FD_CLOEXEC);
	assert_int_equal(nd_sock_open("nonesuch", 4242, &s), -ENODEV);
	assert_int_equal(nd_sock_receive(s, in), 0);
	int cpe = subscriber(SOCK_RAW, IPPROTO_ICMPV6, 0);
	static const uint8_t advertisement[16] = { ND_ROUTER_ADVERT, 0, 0, 0, 64 };
	static const uint8_t echo[8] = { ICMP6_ECHO_REQUEST };
	send_to(cpe, "fe80::1", 0, echo, sizeof echo);
	send_to(cpe, "ff02::2", 0, solicitation, sizeof solicitation);
	send_to(cpe, "ff02::1", 0, advertisement, sizeof advertisement);
	int low = 64;
	assert_int_equal(setsockopt(cpe, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &low, sizeof low), 0);
	send_to(cpe, "fe80::1", 0, solicitation, sizeof solicitation);
	int n = 0;
	struct in6_addr src = unit_in6("fe80::c"), routers = unit_in6("ff02::2"),
			nodes = unit_in6("ff02::1");
	static const uint8_t types[] = { ND_ROUTER_SOLICIT, ND_ROUTER_ADVERT, ND_ROUTER_SOLICIT };
	while (n < 3 && readable(nd_sock_fd(s), WAIT_MS)) {
		int m = nd_sock_receive(s, in);
		for (int i = 0; i < m; i++, n++) {
			assert_int_equal(in[i].bytes[0], types[n]);
			assert_int_equal(in[i].hop_limit, n == 2 ? 64 : 255);
			assert_int_equal(in[i].ifindex, our_index);
			assert_memory_equal(&in[i].src, &src, sizeof src);
			assert_int_equal(in[i].len, 16);
			if (n < 2)
				assert_memory_equal(&in[i].dst, n ? &nodes : &routers,
						    sizeof nodes);
		}
	}
	assert_int_equal(n, 3);
	assert_false(readable(nd_sock_fd(s), 50));
	(void)close(cpe); /* the echo's answer is not looked at */
	nd_sock_close(s);
	nd_sock_close(NULL);
}

/* The oracle is the other end: what arrives there has hop limit 255, our link-local source and a
 * right checksum, or it would not arrive. */
static void nd_sends_from_our_link_local_address(void **state)
{
	(void)state;
	NEEDS_SANDBOX();
	struct nd_sock *s = NULL;
	assert_int_equal(nd_sock_open("sub0", our_index, &s), 0);
	int cpe = subscriber(SOCK_RAW, IPPROTO_ICMPV6, 0), on = 1;
	int all = -1;
	assert_int_equal(netns_socket(sandbox.host_ns, AF_INET6, SOCK_RAW, IPPROTO_ICMPV6, &all),
			 0);
	assert_int_equal(setsockopt(all, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &on, sizeof on), 0);
	struct icmp6_filter filter;
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ND_ROUTER_ADVERT, &filter);
	assert_int_equal(setsockopt(all, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter), 0);
	const uint8_t advertisement[16] = { ND_ROUTER_ADVERT, 0, 0, 0, 64, 0, 7, 8 };
	struct in6_addr us = unit_in6("fe80::1"), nodes = unit_in6("ff02::1"),
			them = unit_in6("fe80::c");
	assert_int_equal(nd_sock_send(s, &us, &nodes, advertisement, sizeof advertisement), 0);
	assert_int_equal(nd_sock_send(s, &us, &them, advertisement, sizeof advertisement), 0);
	struct rtnl *host;
	struct link_info theirs;
	assert_int_equal(rtnl_open(sandbox.host_ns, &host), 0);
	assert_int_equal(link_get(host, "cpe0", &theirs), 0);
	rtnl_close(host);
	assert_int_equal(nd_sock_send_frame(s, &us, &them, theirs.lladdr, advertisement,
					    sizeof advertisement),
			 0);
	assert_int_equal(nd_sock_send_frame(s, &us, &them, theirs.lladdr, advertisement, 7),
			 -EINVAL); /* not even ICMPv6's header */
	for (int i = 0; i < 3; i++) {
		uint8_t got[64];
		_Alignas(struct cmsghdr) uint8_t control[CMSG_SPACE(sizeof(int))];
		struct sockaddr_in6 from;
		struct iovec iov = { got, sizeof got };
		struct msghdr m = { .msg_name = &from,
				    .msg_namelen = sizeof from,
				    .msg_iov = &iov,
				    .msg_iovlen = 1,
				    .msg_control = control,
				    .msg_controllen = sizeof control };
		assert_true(readable(all, WAIT_MS));
		assert_int_equal(recvmsg(all, &m, 0), sizeof advertisement);
		assert_int_equal(got[0], ND_ROUTER_ADVERT);
		assert_int_equal(got[7], 8);
		assert_memory_equal(&from.sin6_addr, &us, sizeof us);
		int hops = 0;
		struct cmsghdr *c = CMSG_FIRSTHDR(&m);
		assert_non_null(c);
		assert_int_equal(c->cmsg_type, IPV6_HOPLIMIT);
		memcpy(&hops, CMSG_DATA(c), sizeof hops);
		assert_int_equal(hops, 255);
	}
	struct in6_addr nobody = unit_in6("fe80::dead");
	assert_int_equal(nd_sock_send(s, &nobody, &nodes, advertisement, sizeof advertisement),
			 -EINVAL);
	struct nd_packet in[ND_SOCK_BATCH];
	assert_int_equal(nd_sock_receive(s, in), 0); /* we do not hear ourselves */
	(void)close(cpe);                            /* not looked at */
	(void)close(all);                            /* read to its end */
	nd_sock_close(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(frames_tell_their_sender_and_answers_go_straight_to_it),
		cmocka_unit_test(messages_of_one_beginning_and_length_have_senders_of_their_own),
		cmocka_unit_test(a_frame_of_long_ago_tells_no_sender),
		cmocka_unit_test(dhcp6_packets_come_with_their_circumstances),
		cmocka_unit_test(dhcp6_burst_is_not_lost),
		cmocka_unit_test(dhcp6_hears_its_own_link_only),
		cmocka_unit_test(nd_takes_solicitations_and_others_advertisements),
		cmocka_unit_test(nd_sends_from_our_link_local_address),
	};
	return cmocka_run_group_tests(tests, make_link, sandbox_leave);
}
