/* SPDX-License-Identifier: GPL-2.0-or-later */
/* street: a street of CPEs that come up together, on one Ethernet interface.
 *
 * Every subscriber has a MAC, a link-local address and a DUID of its own, solicits a router and
 * obtains a prefix (SOLICIT, ADVERTISE, REQUEST, REPLY), retransmits as RFC 9915 §15 and RFC 4861
 * §6.3.7 say, and answers neighbour solicitations and echo requests, as a kernel would for it. It
 * takes the first ADVERTISE without waiting for others. It is up when it has its REPLY and has
 * seen a router advertisement since its start. One thread, one packet socket.
 *
 *   street -i IFACE [-n SUBSCRIBERS] [-b FIRST] [-r RATE] [-t SECONDS] [-k pd|na|both] [-a] [-S
 * NETNS]
 *
 * -n  1 to 65535 (1000)
 * -b  the number of the first of them, so that they are others than before (0)
 * -r  starts a second (0: all at the same instant)
 * -t  how long all of it may take, before who is not up is lost (60)
 * -a  no router advertisement is needed to be up (for servers that send none)
 * -S  afterwards an echo request is sent from this network namespace, the server's, to an address
 *     in every delegated prefix: `reachable` counts those that came to the right subscriber's MAC
 *
 * The kernel of the interface's own namespace should not speak IPv6 on it (disable_ipv6=1).
 * Prints one line of JSON; times are milliseconds. bad_*: what a right server's answers never are.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, ROUNDS = 256, FRAME = 2048, MOST = 65535, DUID_LEN = 10, IAS_MAX = 160 };
enum { ETH = 14, IP6 = 40, UDP = 8 };
enum { SOLICIT = 1, ADVERTISE = 2, REQUEST = 3, REPLY = 7 };
enum {
	O_CLIENTID = 1,
	O_SERVERID = 2,
	O_IA_NA = 3,
	O_IAADDR = 5,
	O_ORO = 6,
	O_ELAPSED = 8,
	O_STATUS = 13,
	O_IA_PD = 25,
	O_IAPREFIX = 26
};
enum { IAID = 1, SERVER_PORT = 547, CLIENT_PORT = 546 };

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)

/* RFC 9915 §7.6, RFC 4861 §10 */
static const uint64_t irt = SECOND, sol_mrt = 3600 * SECOND, req_mrt = 30 * SECOND,
		      rtr_interval = 4 * SECOND;
enum { REQ_MAX_RC = 10, MAX_RTR_SOLICITATIONS = 3 };

struct held {
	uint8_t addr[16];
	uint8_t plen; /* 0: nothing */
};

struct subscriber {
	enum { WAITING, SOLICITING, REQUESTING, BOUND } state;
	bool has_ra, up, reached;
	uint32_t xid;
	uint64_t started, begun; /* its first frame; the first of the message that is under way */
	uint64_t due, rt;        /* when that one is repeated, and the interval before */
	unsigned tries, rs_tries;
	uint64_t rs_due, up_at;
	struct held pd, na;
	uint8_t ias[IAS_MAX]; /* of its ADVERTISE, to be sent back */
	size_t ias_len;
};

static struct subscriber *subs;
static unsigned n_subs = 1000, first, n_started, n_up, n_bound, n_reached;
static bool want_pd = true, want_na, want_ra = true;
static uint8_t server_id[130];
static size_t server_id_len;
static uint64_t t0, last_reply, last_ra;
static struct {
	uint64_t solicit_again, request_again, rs_again, ns, echo, ra, late, bad_checksum, bad_mac,
		bad_address, bad_port, bad_content;
} count;

static int fd;
static uint8_t outbuf[BATCH][FRAME];
static struct iovec outiov[BATCH];
static struct mmsghdr outmsg[BATCH];
static unsigned n_out;

static struct in6_addr all_servers, all_routers;

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* RAND of RFC 9915 §15: between -0.1 and +0.1 (or only above 0) of rt. */
static uint64_t jitter(uint64_t rt, bool only_more)
{
	static uint64_t x = 88172645463325252u;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	uint64_t tenth = rt / 10;
	return only_more ? rt + 1 + x % tenth : rt - tenth + x % (2 * tenth);
}

/* --- addresses: subscriber i is 02:5b:00:I:I:I, first + i + 1 in the last three bytes */

static void put_mac(uint8_t *p, unsigned i)
{
	const unsigned n = first + i + 1;
	const uint8_t mac[6] = { 0x02, 0x5b, 0, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };
	memcpy(p, mac, sizeof mac);
}

static struct in6_addr link_local(unsigned i)
{
	struct in6_addr a = { .s6_addr = { 0xfe, 0x80, [9] = 0x5b, [11] = 0xff, 0xfe } };
	uint8_t mac[6];
	put_mac(mac, i);
	memcpy(&a.s6_addr[13], mac + 3, 3);
	return a;
}

/* Whose link-local address it is; -1: nobody's. */
static int whose(const uint8_t *addr)
{
	unsigned i = (unsigned)(addr[13] << 16 | addr[14] << 8 | addr[15]) - 1 - first;
	struct in6_addr a;
	if (i >= n_started)
		return -1;
	a = link_local(i);
	return memcmp(&a, addr, 16) == 0 ? (int)i : -1;
}

static bool has_mac(const uint8_t *at, unsigned i)
{
	uint8_t mac[6];
	put_mac(mac, i);
	return memcmp(at, mac, 6) == 0;
}

/* --- frames */

static uint32_t get_be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;
	for (unsigned i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

static void put_be(uint8_t *p, uint32_t v, unsigned n)
{
	while (n-- > 0) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static uint32_t sum(uint32_t s, const uint8_t *p, size_t n)
{
	for (; n > 1; n -= 2, p += 2)
		s += (uint32_t)(p[0] << 8 | p[1]);
	return n ? s + (uint32_t)(p[0] << 8) : s;
}

static uint16_t fold(uint32_t s)
{
	while (s >> 16)
		s = (s & 0xffff) + (s >> 16);
	return (uint16_t)s;
}

/* RFC 8200 §8.1; ip is the IPv6 header. */
static uint32_t pseudo_header(const uint8_t *ip, size_t len, uint8_t next)
{
	return sum((uint32_t)len + next, ip + 8, 32);
}

static void flush_out(void)
{
	for (unsigned done = 0; done < n_out;) {
		int n = sendmmsg(fd, outmsg + done, n_out - done, 0);
		if (n > 0) {
			done += (unsigned)n;
		} else if (errno == EAGAIN || errno == ENOBUFS) {
			struct pollfd p = { fd, POLLOUT, 0 };
			(void)poll(&p, 1, 1);
		} else if (errno != EINTR) {
			perror("send");
			exit(1);
		}
	}
	n_out = 0;
}

/* The place for a frame's payload; send_frame completes it. */
static uint8_t *payload(void)
{
	if (n_out == BATCH)
		flush_out();
	return outbuf[n_out] + ETH + IP6;
}

/* dst_mac NULL: dst is a multicast address */
static void send_frame(unsigned from, const struct in6_addr *src, const struct in6_addr *dst,
		       const uint8_t *dst_mac, uint8_t next, size_t len)
{
	uint8_t *f = outbuf[n_out], *ip = f + ETH, *p = ip + IP6;
	if (dst_mac) {
		memcpy(f, dst_mac, 6);
	} else {
		f[0] = f[1] = 0x33;
		memcpy(f + 2, &dst->s6_addr[12], 4);
	}
	put_mac(f + 6, from);
	put_be(f + 12, ETHERTYPE_IPV6, 2);
	put_be(ip, 0x60000000, 4);
	put_be(ip + 4, (uint32_t)len, 2);
	ip[6] = next;
	ip[7] = 255;
	memcpy(ip + 8, src, 16);
	memcpy(ip + 24, dst, 16);
	uint8_t *check = p + (next == IPPROTO_UDP ? 6 : 2);
	put_be(check, 0, 2);
	uint16_t c = (uint16_t)~fold(sum(pseudo_header(ip, len, next), p, len));
	put_be(check, c ? c : 0xffff, 2);
	outiov[n_out++].iov_len = ETH + IP6 + len;
}

/* ready: the sender filled the checksum in; else (it came over veth from the same machine, with
 * the rest left to hardware) only the pseudo-header's part is there. */
static bool checksum_right(const uint8_t *ip, const uint8_t *p, size_t len, uint8_t next,
			   bool ready)
{
	uint32_t s = pseudo_header(ip, len, next);
	if (ready)
		return fold(sum(s, p, len)) == 0xffff;
	return get_be(p + (next == IPPROTO_UDP ? 6 : 2), 2) == fold(s);
}

/* --- what subscribers send */

static void send_rs(unsigned i, uint64_t t)
{
	struct subscriber *s = &subs[i];
	struct in6_addr ll = link_local(i);
	uint8_t *p = payload();
	memset(p, 0, 16);
	p[0] = ND_ROUTER_SOLICIT;
	p[8] = ND_OPT_SOURCE_LINKADDR;
	p[9] = 1;
	put_mac(p + 10, i);
	send_frame(i, &ll, &all_routers, NULL, IPPROTO_ICMPV6, 16);
	s->rs_due = ++s->rs_tries < MAX_RTR_SOLICITATIONS ? t + rtr_interval : UINT64_MAX;
}

static uint8_t *opt(uint8_t *p, uint16_t code, size_t len, const void *data)
{
	put_be(p, code, 2);
	put_be(p + 2, (uint32_t)len, 2);
	memcpy(p + 4, data, len);
	return p + 4 + len;
}

static void put_duid(uint8_t duid[static DUID_LEN], unsigned i)
{
	static const uint8_t ll_ethernet[4] = { 0, 3, 0, 1 };
	memcpy(duid, ll_ethernet, 4);
	put_mac(duid + 4, i);
}

static void send_dhcp6(unsigned i, uint64_t t)
{
	struct subscriber *s = &subs[i];
	struct in6_addr ll = link_local(i);
	static const uint8_t oro[] = { 0, 23, 0, 24 };
	uint8_t *u = payload(), *p = u + UDP;
	uint8_t duid[DUID_LEN], ia[12] = { [3] = IAID }, elapsed[2];
	uint64_t hundredths = (t - s->begun) / (10 * MS);
	put_be(p, s->xid, 4);
	p[0] = s->state == SOLICITING ? SOLICIT : REQUEST;
	p += 4;
	put_duid(duid, i);
	p = opt(p, O_CLIENTID, sizeof duid, duid);
	if (s->state == REQUESTING)
		p = opt(p, O_SERVERID, server_id_len, server_id);
	put_be(elapsed, hundredths < 0xffff ? (uint32_t)hundredths : 0xffff, 2);
	p = opt(p, O_ELAPSED, sizeof elapsed, elapsed);
	p = opt(p, O_ORO, sizeof oro, oro);
	if (s->state == REQUESTING) {
		memcpy(p, s->ias, s->ias_len);
		p += s->ias_len;
	} else {
		if (want_na)
			p = opt(p, O_IA_NA, sizeof ia, ia);
		if (want_pd)
			p = opt(p, O_IA_PD, sizeof ia, ia);
	}
	size_t len = (size_t)(p - u);
	put_be(u, CLIENT_PORT, 2);
	put_be(u + 2, SERVER_PORT, 2);
	put_be(u + 4, (uint32_t)len, 2);
	send_frame(i, &ll, &all_servers, NULL, IPPROTO_UDP, len);
}

static void begin_message(unsigned i, int state, uint64_t t)
{
	struct subscriber *s = &subs[i];
	static uint32_t serial = 0x100000;
	s->state = state;
	s->xid = ++serial & 0xffffff;
	s->begun = t;
	s->tries = 1;
	s->rt = jitter(irt, state == SOLICITING);
	s->due = t + s->rt;
	send_dhcp6(i, t);
}

static void repeat_message(unsigned i, uint64_t t)
{
	struct subscriber *s = &subs[i];
	uint64_t mrt = s->state == SOLICITING ? sol_mrt : req_mrt;
	if (s->state == REQUESTING && s->tries == REQ_MAX_RC) {
		begin_message(i, SOLICITING, t);
		return;
	}
	if (s->state == SOLICITING)
		count.solicit_again++;
	else
		count.request_again++;
	s->tries++;
	s->rt = jitter(2 * s->rt, false);
	if (s->rt > mrt)
		s->rt = jitter(mrt, false);
	s->due = t + s->rt;
	send_dhcp6(i, t);
}

static void begin_subscriber(unsigned i, uint64_t t)
{
	subs[i].started = t;
	n_started = i + 1;
	send_rs(i, t);
	begin_message(i, SOLICITING, t);
}

static void repeat_what_is_due(uint64_t t)
{
	for (unsigned i = 0; i < n_started; i++) {
		struct subscriber *s = &subs[i];
		if (want_ra && !s->has_ra && t >= s->rs_due) {
			count.rs_again++;
			send_rs(i, t);
		}
		if ((s->state == SOLICITING || s->state == REQUESTING) && t >= s->due)
			repeat_message(i, t);
	}
}

/* --- what they receive */

static void see_whether_up(unsigned i, uint64_t t)
{
	struct subscriber *s = &subs[i];
	if (s->up || s->state != BOUND || (want_ra && !s->has_ra))
		return;
	s->up = true;
	s->up_at = t;
	n_up++;
}

struct d6_option {
	uint16_t code;
	size_t len;
	const uint8_t *body;
};

/* 1: *o is the next; 0: a clean end; -1: it is cut off */
static int next_option(const uint8_t **at, const uint8_t *end, struct d6_option *o)
{
	if (*at == end)
		return 0;
	if (end - *at < 4 || end - *at - 4 < (ptrdiff_t)get_be(*at + 2, 2))
		return -1;
	*o = (struct d6_option){ (uint16_t)get_be(*at, 2), get_be(*at + 2, 2), *at + 4 };
	*at += 4 + o->len;
	return 1;
}

/* An IA that gives one thing, for longer than no time. */
static bool read_ia(const struct d6_option *ia, struct held *h)
{
	const uint8_t *at = ia->body + 12, *end = ia->body + ia->len;
	struct d6_option o;
	int r;
	if (ia->len < 12 || get_be(ia->body, 4) != IAID)
		return false;
	while ((r = next_option(&at, end, &o)) > 0) {
		bool prefix = ia->code == O_IA_PD && o.code == O_IAPREFIX && o.len >= 25;
		bool address = ia->code == O_IA_NA && o.code == O_IAADDR && o.len >= 24;
		if (o.code == O_STATUS && o.len >= 2 && get_be(o.body, 2) == 0)
			continue;
		if ((!prefix && !address) || h->plen)
			return false;
		const uint8_t *lifetimes = o.body + (prefix ? 0 : 16);
		if (get_be(lifetimes + 4, 4) == 0 ||
		    get_be(lifetimes, 4) > get_be(lifetimes + 4, 4))
			return false;
		memcpy(h->addr, o.body + (prefix ? 9 : 0), 16);
		h->plen = prefix ? o.body[8] : 128;
	}
	return r == 0;
}

/* A whole ADVERTISE or REPLY for subscriber i: who it is for, who sent it, what it gives. */
static bool read_answer(const uint8_t *at, const uint8_t *end, unsigned i, struct subscriber *s)
{
	uint8_t duid[DUID_LEN];
	bool client = false, server = false;
	struct d6_option o;
	int r;
	put_duid(duid, i);
	s->ias_len = 0;
	s->pd = s->na = (struct held){ 0 };
	while ((r = next_option(&at, end, &o)) > 0) {
		if (o.code == O_CLIENTID) {
			client = o.len == sizeof duid && memcmp(o.body, duid, o.len) == 0;
		} else if (o.code == O_SERVERID && o.len > 0 && o.len <= sizeof server_id) {
			if (server_id_len == 0) {
				server_id_len = o.len;
				memcpy(server_id, o.body, o.len);
			}
			server = o.len == server_id_len && memcmp(o.body, server_id, o.len) == 0;
		} else if (o.code == O_STATUS) {
			if (o.len < 2 || get_be(o.body, 2) != 0)
				return false;
		} else if (o.code == O_IA_PD || o.code == O_IA_NA) {
			if (!read_ia(&o, o.code == O_IA_PD ? &s->pd : &s->na) ||
			    s->ias_len + 4 + o.len > sizeof s->ias)
				return false;
			memcpy(s->ias + s->ias_len, o.body - 4, 4 + o.len);
			s->ias_len += 4 + o.len;
		}
	}
	return r == 0 && client && server && (s->pd.plen > 0) == want_pd &&
	       (s->na.plen > 0) == want_na;
}

static void on_dhcp6(const uint8_t *frame, unsigned i, const uint8_t *p, size_t len, uint64_t t)
{
	struct subscriber *s = &subs[i], got = *s;
	if (!has_mac(frame, i)) {
		count.bad_mac++;
		return;
	}
	if (frame[ETH + 8] != 0xfe || (frame[ETH + 9] & 0xc0) != 0x80) {
		count.bad_address++;
		return;
	}
	if (len < UDP + 4 || get_be(p, 2) != SERVER_PORT || get_be(p + 2, 2) != CLIENT_PORT ||
	    get_be(p + 4, 2) != len) {
		count.bad_port++;
		return;
	}
	const uint8_t *message = p + UDP;
	int wanted = s->state == SOLICITING ? ADVERTISE : s->state == REQUESTING ? REPLY : -1;
	if (message[0] != wanted || get_be(message + 1, 3) != s->xid) {
		count.late++;
		return;
	}
	if (!read_answer(message + 4, p + len, i, &got)) {
		count.bad_content++;
		return;
	}
	*s = got;
	if (wanted == ADVERTISE) {
		begin_message(i, REQUESTING, t);
		return;
	}
	s->state = BOUND;
	n_bound++;
	last_reply = t;
	see_whether_up(i, t);
}

static void take_ra(unsigned i, uint64_t t)
{
	if (subs[i].has_ra)
		return;
	subs[i].has_ra = true;
	last_ra = t;
	see_whether_up(i, t);
}

static void on_ra(const uint8_t *frame, const uint8_t *p, size_t len, uint64_t t)
{
	const uint8_t *ip = frame + ETH;
	if (len < 16 || ip[7] != 255 || p[1] != 0 || ip[8] != 0xfe || (ip[9] & 0xc0) != 0x80 ||
	    get_be(p + 6, 2) == 0) {
		count.bad_content++;
		return;
	}
	count.ra++;
	if (ip[24] == 0xff) {
		for (unsigned i = 0; i < n_started; i++)
			take_ra(i, t);
		return;
	}
	int i = whose(ip + 24);
	if (i < 0)
		return;
	if (has_mac(frame, (unsigned)i))
		take_ra((unsigned)i, t);
	else
		count.bad_mac++;
}

static void on_ns(const uint8_t *frame, const uint8_t *p, size_t len)
{
	const uint8_t *ip = frame + ETH;
	int i = len >= 24 && ip[7] == 255 ? whose(p + 8) : -1;
	if (i < 0)
		return;
	struct in6_addr ll = link_local((unsigned)i), to;
	memcpy(&to, ip + 8, 16);
	uint8_t *a = payload();
	memset(a, 0, 32);
	a[0] = ND_NEIGHBOR_ADVERT;
	a[4] = 0x60; /* solicited, override */
	memcpy(a + 8, &ll, 16);
	a[24] = ND_OPT_TARGET_LINKADDR;
	a[25] = 1;
	put_mac(a + 26, (unsigned)i);
	send_frame((unsigned)i, &ll, &to, frame + 6, IPPROTO_ICMPV6, 32);
	count.ns++;
}

/* --- reachability */

static unsigned *by_prefix; /* subscribers that hold one, in its order; NULL before all are up */
static unsigned n_by_prefix;

static int compare_prefixes(const void *a, const void *b)
{
	return memcmp(subs[*(const unsigned *)a].pd.addr, subs[*(const unsigned *)b].pd.addr, 16);
}

static bool inside(const uint8_t *addr, const struct held *h)
{
	unsigned whole = h->plen / 8, bits = h->plen % 8;
	if (h->plen == 0 || memcmp(addr, h->addr, whole) != 0)
		return false;
	return bits == 0 || (addr[whole] ^ h->addr[whole]) >> (8 - bits) == 0;
}

static int holder(const uint8_t *addr)
{
	unsigned low = 0, high = n_by_prefix;
	while (low < high) {
		unsigned mid = (low + high) / 2;
		if (memcmp(subs[by_prefix[mid]].pd.addr, addr, 16) <= 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low > 0 && inside(addr, &subs[by_prefix[low - 1]].pd) ? (int)by_prefix[low - 1] : -1;
}

static void on_echo(const uint8_t *frame, const uint8_t *p, size_t len)
{
	const uint8_t *ip = frame + ETH;
	int own = whose(ip + 24), i = own < 0 ? holder(ip + 24) : own;
	if (i < 0 || len > FRAME - ETH - IP6)
		return;
	if (!has_mac(frame, (unsigned)i)) {
		count.bad_mac++;
		return;
	}
	if (own < 0 && !subs[i].reached) {
		subs[i].reached = true;
		n_reached++;
	}
	struct in6_addr from, to;
	memcpy(&from, ip + 24, 16);
	memcpy(&to, ip + 8, 16);
	uint8_t *a = payload();
	memcpy(a, p, len);
	a[0] = ICMP6_ECHO_REPLY;
	send_frame((unsigned)i, &from, &to, frame + 6, IPPROTO_ICMPV6, len);
	count.echo++;
}

static void on_frame(const uint8_t *f, size_t len, bool ready, uint64_t t)
{
	const uint8_t *ip = f + ETH, *p = ip + IP6;
	if (len < ETH + IP6 + 8 || get_be(f + 12, 2) != ETHERTYPE_IPV6 || ip[0] >> 4 != 6)
		return;
	uint8_t next = ip[6];
	size_t n = get_be(ip + 4, 2);
	if (n < 8 || n > len - ETH - IP6 || (next != IPPROTO_UDP && next != IPPROTO_ICMPV6))
		return;
	int to = next == IPPROTO_UDP ? whose(ip + 24) : -1;
	if (next == IPPROTO_UDP && to < 0)
		return;
	if (!checksum_right(ip, p, n, next, ready))
		count.bad_checksum++;
	else if (next == IPPROTO_UDP)
		on_dhcp6(f, (unsigned)to, p, n, t);
	else if (p[0] == ND_ROUTER_ADVERT)
		on_ra(f, p, n, t);
	else if (p[0] == ND_NEIGHBOR_SOLICIT)
		on_ns(f, p, n);
	else if (p[0] == ICMP6_ECHO_REQUEST)
		on_echo(f, p, n);
}

/* Everything that is there; of what comes faster than it is read, a part. */
static void receive(void)
{
	static uint8_t buf[BATCH][FRAME];
	static struct iovec iov[BATCH];
	static struct mmsghdr in[BATCH];
	static _Alignas(struct cmsghdr)
		uint8_t control[BATCH][CMSG_SPACE(sizeof(struct tpacket_auxdata))];
	int n, rounds = 0;
	do {
		for (unsigned i = 0; i < BATCH; i++) {
			iov[i] = (struct iovec){ buf[i], FRAME };
			in[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i],
							 .msg_iovlen = 1,
							 .msg_control = control[i],
							 .msg_controllen = sizeof control[i] };
		}
		n = recvmmsg(fd, in, BATCH, MSG_DONTWAIT, NULL);
		uint64_t t = now_ns();
		for (int i = 0; i < n; i++) {
			struct tpacket_auxdata aux = { 0 };
			struct cmsghdr *c = CMSG_FIRSTHDR(&in[i].msg_hdr);
			if (c && c->cmsg_level == SOL_PACKET && c->cmsg_type == PACKET_AUXDATA)
				memcpy(&aux, CMSG_DATA(c), sizeof aux);
			on_frame(buf[i], in[i].msg_len, !(aux.tp_status & TP_STATUS_CSUMNOTREADY),
				 t);
		}
		flush_out();
	} while (n == BATCH && ++rounds < ROUNDS);
}

static void wait_frames(int ms)
{
	struct pollfd p = { fd, POLLIN, 0 };
	if (poll(&p, 1, ms) > 0)
		receive();
}

/* --- the course of it */

static void drive(double rate, double secs)
{
	uint64_t end, next_look;
	t0 = now_ns();
	end = t0 + (uint64_t)(secs * 1e9);
	next_look = t0;
	for (;;) {
		uint64_t t = now_ns();
		double due = rate > 0 ? (double)(t - t0) * rate / 1e9 + 1 : n_subs;
		/* All at once is one instant, however long it takes to say so. */
		while (n_started < n_subs && n_started < due)
			begin_subscriber(n_started, rate > 0 ? t : t0);
		flush_out();
		if (n_up == n_subs || t > end)
			return;
		wait_frames(1);
		if (now_ns() > next_look) {
			repeat_what_is_due(now_ns());
			next_look = now_ns() + 5 * MS;
		}
	}
}

static void drain(int pinger, uint64_t *replies)
{
	uint8_t b[FRAME];
	while (recv(pinger, b, sizeof b, MSG_DONTWAIT) > 0)
		(*replies)++;
}

/* Rounds of echo requests to those that none has reached yet; returns how long it took. */
static double reach(int pinger, uint64_t *replies, uint64_t *refused)
{
	enum { TRIES = 4, TRY_MS = 500 };
	uint64_t begun = now_ns();
	for (int round = 0; round < TRIES && n_reached < n_by_prefix; round++) {
		for (unsigned k = 0; k < n_by_prefix; k++) {
			unsigned i = by_prefix[k];
			struct sockaddr_in6 to = { .sin6_family = AF_INET6 };
			uint8_t echo[16] = { ICMP6_ECHO_REQUEST };
			if (subs[i].reached)
				continue;
			memcpy(&to.sin6_addr, subs[i].pd.addr, 16);
			to.sin6_addr.s6_addr[15] |= 1;
			put_be(echo + 6, i, 2);
			if (sendto(pinger, echo, sizeof echo, 0, (void *)&to, sizeof to) < 0)
				(*refused)++;
			if (k % BATCH == 0) {
				receive();
				drain(pinger, replies);
			}
		}
		uint64_t until = now_ns() + TRY_MS * MS;
		while (n_reached < n_by_prefix && now_ns() < until)
			wait_frames(5);
		drain(pinger, replies);
	}
	return (double)(now_ns() - begun) / 1e6;
}

static int compare_held(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct held));
}

/* A prefix or address that two subscribers were given. */
static uint64_t duplicates(size_t offset)
{
	struct held *all = calloc(n_subs, sizeof *all);
	size_t n = 0;
	uint64_t twice = 0;
	for (unsigned i = 0; i < n_started; i++) {
		const struct held *h =
			(const struct held *)(const void *)((const uint8_t *)&subs[i] + offset);
		if (subs[i].state == BOUND && h->plen)
			all[n++] = *h;
	}
	qsort(all, n, sizeof *all, compare_held);
	for (size_t i = 1; i < n; i++)
		twice += compare_held(&all[i], &all[i - 1]) == 0;
	free(all);
	return twice;
}

static int compare_u64(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

/* Frames to our subscribers and to groups: what others are sent costs us nothing. */
static bool attach_filter(int f)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x025b, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x0100, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, UINT32_MAX),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	struct sock_fprog program = { sizeof code / sizeof code[0], code };
	return setsockopt(f, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

static int open_packet_socket(const char *ifname)
{
	int one = 1, size = 256 << 20, f = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons(ETH_P_IPV6),
				  .sll_ifindex = (int)if_nametoindex(ifname) };
	struct packet_mreq all = { .mr_ifindex = at.sll_ifindex, .mr_type = PACKET_MR_PROMISC };
	if (f < 0 || at.sll_ifindex == 0 || !attach_filter(f) ||
	    setsockopt(f, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
	    setsockopt(f, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) ||
	    setsockopt(f, SOL_PACKET, PACKET_AUXDATA, &one, sizeof one) ||
	    setsockopt(f, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &all, sizeof all) ||
	    bind(f, (void *)&at, sizeof at)) {
		perror(ifname);
		exit(1);
	}
	return f;
}

/* A socket for echo requests in the server's namespace; this process stays where it is. */
static int open_pinger(const char *ns)
{
	char path[256];
	struct icmp6_filter filter;
	int size = 64 << 20;
	snprintf(path, sizeof path, "/run/netns/%s", ns);
	int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	int there = open(path, O_RDONLY | O_CLOEXEC);
	if (home < 0 || there < 0 || setns(there, CLONE_NEWNET)) {
		perror(path);
		exit(1);
	}
	int f = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	ICMP6_FILTER_SETBLOCKALL(&filter);
	ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
	if (f < 0 || setsockopt(f, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof filter) ||
	    setsockopt(f, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) ||
	    setsockopt(f, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) ||
	    setns(home, CLONE_NEWNET)) {
		perror("echo requests");
		exit(1);
	}
	close(home);
	close(there);
	return f;
}

static double since_start(uint64_t t)
{
	return t ? (double)(t - t0) / 1e6 : -1;
}

/* Frames that this program itself had no room for. */
static unsigned own_drops(void)
{
	struct tpacket_stats stats = { 0 };
	socklen_t len = sizeof stats;
	return getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &stats, &len) ? UINT32_MAX
									   : stats.tp_drops;
}

static void report(double rate)
{
	uint64_t *v = calloc(n_subs, sizeof *v), last_up = 0;
	size_t n = 0;
	for (unsigned i = 0; i < n_started; i++)
		if (subs[i].up) {
			v[n++] = subs[i].up_at - subs[i].started;
			last_up = subs[i].up_at > last_up ? subs[i].up_at : last_up;
		}
	qsort(v, n, sizeof *v, compare_u64);
	uint64_t p50 = v[n / 2], p99 = v[n ? n - 1 - n / 100 : 0]; /* 0 where nobody is up */
	uint64_t twice = duplicates(offsetof(struct subscriber, pd)) +
			 duplicates(offsetof(struct subscriber, na));
	printf("{\"count\":%u,\"rate\":%.0f,\"up\":%zu,\"lost\":%zu,\"setup_ms\":%.1f,\"p50_ms\":%."
	       "1f,"
	       "\"p99_ms\":%.1f,\"last_reply_ms\":%.1f,\"last_ra_ms\":%.1f,\"bound\":%u,"
	       "\"retransmissions\":%llu,\"solicit_again\":%llu,\"request_again\":%llu,"
	       "\"rs_again\":%llu,\"ns_answered\":%llu,\"ra_seen\":%llu,\"late\":%llu,\"dup\":%llu,"
	       "\"bad_checksum\":%llu,\"bad_mac\":%llu,\"bad_address\":%llu,\"bad_port\":%llu,"
	       "\"bad_content\":%llu,\"own_drops\":%u",
	       n_subs, rate, n, n_subs - n, n == n_subs ? since_start(last_up) : -1,
	       (double)p50 / 1e6, (double)p99 / 1e6, since_start(last_reply), since_start(last_ra),
	       n_bound,
	       (unsigned long long)(count.solicit_again + count.request_again + count.rs_again),
	       (unsigned long long)count.solicit_again, (unsigned long long)count.request_again,
	       (unsigned long long)count.rs_again, (unsigned long long)count.ns,
	       (unsigned long long)count.ra, (unsigned long long)count.late,
	       (unsigned long long)twice, (unsigned long long)count.bad_checksum,
	       (unsigned long long)count.bad_mac, (unsigned long long)count.bad_address,
	       (unsigned long long)count.bad_port, (unsigned long long)count.bad_content,
	       own_drops());
	free(v);
}

static void report_reachable(int pinger)
{
	uint64_t replies = 0, refused = 0, ns = count.ns;
	by_prefix = calloc(n_subs, sizeof *by_prefix);
	for (unsigned i = 0; i < n_started; i++)
		if (subs[i].state == BOUND && subs[i].pd.plen)
			by_prefix[n_by_prefix++] = i;
	qsort(by_prefix, n_by_prefix, sizeof *by_prefix, compare_prefixes);
	double took = reach(pinger, &replies, &refused);
	printf(",\"reachable\":%u,\"reach_ms\":%.1f,\"reach_replies\":%llu,\"reach_refused\":%llu,"
	       "\"reach_ns\":%llu",
	       n_reached, took, (unsigned long long)replies, (unsigned long long)refused,
	       (unsigned long long)(count.ns - ns));
	free(by_prefix);
}

static int usage(void)
{
	fprintf(stderr, "see the head of street.c\n");
	return 2;
}

int main(int argc, char **argv)
{
	const char *ifname = NULL, *ns = NULL;
	double rate = 0, secs = 60;
	int o;
	while ((o = getopt(argc, argv, "i:n:b:r:t:k:aS:")) != -1)
		switch (o) {
		case 'i':
			ifname = optarg;
			break;
		case 'n':
			n_subs = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			first = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'r':
			rate = strtod(optarg, NULL);
			break;
		case 't':
			secs = strtod(optarg, NULL);
			break;
		case 'k':
			want_pd = strcmp(optarg, "na") != 0;
			want_na = strcmp(optarg, "pd") != 0;
			break;
		case 'a':
			want_ra = false;
			break;
		case 'S':
			ns = optarg;
			break;
		default:
			return usage();
		}
	if (!ifname || n_subs < 1 || n_subs > MOST || first >= 1U << 23)
		return usage();
	subs = calloc(n_subs, sizeof *subs);
	if (!subs || inet_pton(AF_INET6, "ff02::1:2", &all_servers) != 1 ||
	    inet_pton(AF_INET6, "ff02::2", &all_routers) != 1)
		return 1;
	for (unsigned i = 0; i < BATCH; i++) {
		outiov[i].iov_base = outbuf[i];
		outmsg[i].msg_hdr = (struct msghdr){ .msg_iov = &outiov[i], .msg_iovlen = 1 };
	}
	int pinger = ns ? open_pinger(ns) : -1;
	fd = open_packet_socket(ifname);
	drive(rate, secs);
	report(rate);
	if (pinger >= 0)
		report_reachable(pinger);
	printf("}\n");
	return 0;
}
