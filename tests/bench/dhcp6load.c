/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dhcp6load: a DHCPv6 load generator (closed or open loop) for prefix delegation and addresses.
 *
 * Many simulated clients, one socket, recvmmsg/sendmmsg, so that it costs far less CPU than the
 * server it drives. It checks every answer (IA present, no status, no prefix given to two clients)
 * and prints one line of JSON.
 *
 *   dhcp6load -i IFACE [-k pd|na|both] [-m sarr|sa|rapid|renew|churn] [-w WINDOW] [-r RATE]
 *             [-n COUNT] [-s SECONDS] [-b FIRST_CLIENT] [-t DROP_MS] [-l LOG]
 *
 * -w  closed loop: WINDOW exchanges always under way (1..4096); with -r the most under way
 * -r  open loop: start RATE exchanges a second; 0 is closed loop
 * -m  sarr: SOLICIT ADVERTISE REQUEST REPLY; sa: SOLICIT ADVERTISE; rapid: SOLICIT REPLY;
 *     renew: COUNT clients first do sarr unmeasured, then each renews once, measured
 *     churn (pd alone): COUNT clients, taken at random, until SIGTERM or SECONDS: who holds no
 *     prefix does sarr, who holds one renews it or (1 in 4) releases it. Who hears nothing for
 *     DROP_MS gives up: a renewer keeps what it has, a releaser has nothing any more
 * -l  churn's log, a struct told (below) each time that a client was told something, and before
 *     each RELEASE leaves; what a client could know is in the file at any moment
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, PKT = 1024, SLOTS = 4096, DUID_LEN = 10 };
enum { SOLICIT = 1, ADVERTISE = 2, REQUEST = 3, RENEW = 5, REPLY = 7, RELEASE = 8 };
enum {
	O_CLIENTID = 1,
	O_SERVERID = 2,
	O_IA_NA = 3,
	O_IAADDR = 5,
	O_ORO = 6,
	O_ELAPSED = 8,
	O_STATUS = 13,
	O_RAPID = 14,
	O_IA_PD = 25,
	O_IAPREFIX = 26
};

struct slot {
	uint8_t state;
	uint16_t gen; /* 12 bits of it are in the transaction ID, beside 12 of the slot's number */
	uint32_t client;
	uint64_t t_start, t_leg;
};
struct ia {
	uint16_t len;
	uint8_t bytes[120];
}; /* the IA options of an answer, to be sent back */

/* What churn logs, in the host's byte order. The server granted it after `sent_us` and before
 * `at_us` (both CLOCK_REALTIME). */
struct told {
	uint64_t sent_us, at_us;
	uint32_t client, preferred_s, valid_s;
	uint8_t what; /* TOLD_* */
	uint8_t plen;
	uint8_t unused[2];
	uint8_t prefix[16];
};
enum {
	TOLD_BOUND = 'B',     /* REPLY to its REQUEST */
	TOLD_RENEWED = 'R',   /* REPLY to its RENEW, as is due */
	TOLD_LOST = 'L',      /* REPLY to its RENEW or RELEASE: the server knows nothing of it */
	TOLD_RELEASING = 'r', /* its RELEASE leaves now */
	TOLD_RELEASED = 'F',  /* REPLY to its RELEASE, as is due */
};
_Static_assert(sizeof(struct told) == 48, "a record of the log has no holes");

static struct slot slots[SLOTS];
static uint16_t free_slots[SLOTS];
static unsigned n_free;
static struct ia *leases; /* by client, for renew and the duplicate check */
static uint32_t n_clients_max;
static uint8_t server_id[130];
static unsigned server_id_len;
static int fd;
static struct sockaddr_in6 dst;
static bool want_pd = true, want_na = false;
static enum { SARR, SA, RAPID, RENEWS, CHURN } mode = SARR;
static uint32_t first_client;

static uint8_t outbuf[BATCH][PKT];
static struct iovec outiov[BATCH];
static struct mmsghdr outmsg[BATCH];
static unsigned n_out;
static uint8_t inbuf[BATCH][PKT];
static struct iovec iniov[BATCH];
static struct mmsghdr inmsg[BATCH];
static uint64_t completed;
static uint64_t sent[16], got[16], lost, bad, orphans, drops1, drops2, send_fail, syscalls_send;

static uint64_t now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* latencies of whole exchanges: a histogram of 64 sub-buckets a power of two, in microseconds */
static uint64_t hist[64 * 40], hist_n;
static uint64_t lat_max;
static unsigned bucket(uint64_t us)
{
	if (us < 64)
		return (unsigned)us;
	unsigned e = 63u - (unsigned)__builtin_clzll(us) - 6u;
	return 64u * (e + 1u) + (unsigned)((us >> e) & 63u);
}
static uint64_t unbucket(unsigned b)
{
	if (b < 64)
		return b;
	unsigned e = b / 64u - 1u;
	return (uint64_t)(64u + b % 64u) << e;
}
static void lat(uint64_t ns)
{
	uint64_t us = ns / 1000;
	hist[bucket(us)]++;
	hist_n++;
	if (ns > lat_max)
		lat_max = ns;
}
static double pct(double p)
{
	uint64_t want = (uint64_t)((double)hist_n * p), c = 0;
	for (unsigned b = 0; b < sizeof hist / sizeof *hist; b++) {
		c += hist[b];
		if (c > want)
			return (double)unbucket(b) / 1000.0;
	}
	return (double)lat_max / 1e6;
}

/* churn's */
static struct {
	uint64_t *until_us; /* by client: CLOCK_REALTIME */
	bool *busy;
	int fd; /* of the log, -1 */
	struct told log[1024];
	unsigned n;
} churn = { .fd = -1 };
static volatile sig_atomic_t quit;

static void on_signal(int signo)
{
	(void)signo;
	quit = 1;
}

static uint64_t real_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

static void flush_log(void)
{
	const uint8_t *at = (const uint8_t *)churn.log;
	size_t left = churn.fd < 0 ? 0 : churn.n * sizeof churn.log[0];
	while (left > 0) {
		ssize_t n = write(churn.fd, at, left);
		if (n < 0 && errno != EINTR) {
			perror("the log");
			exit(1);
		}
		at += n > 0 ? n : 0;
		left -= n > 0 ? (size_t)n : 0;
	}
	churn.n = 0;
}

static void flush_out(void)
{
	unsigned done = 0;
	flush_log(); /* what is told of a message is there before its effects can be */
	while (done < n_out) {
		int n = sendmmsg(fd, outmsg + done, n_out - done, 0);
		syscalls_send++;
		if (n > 0) {
			done += (unsigned)n;
			continue;
		}
		if (errno == EINTR)
			continue;
		if (errno == EAGAIN || errno == ENOBUFS) {
			struct pollfd p = { fd, POLLOUT, 0 };
			poll(&p, 1, 1);
			continue;
		}
		send_fail++;
		done++;
	}
	n_out = 0;
}

static uint8_t *opt(uint8_t *p, uint16_t code, uint16_t len, const void *data)
{
	p[0] = (uint8_t)(code >> 8);
	p[1] = (uint8_t)code;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	if (data)
		memcpy(p + 4, data, len);
	return p + 4 + len;
}

static void put_duid(uint8_t duid[DUID_LEN], uint32_t client)
{
	uint32_t c = client + first_client;
	const uint8_t bytes[DUID_LEN] = { 0,
					  3,
					  0,
					  1,
					  0x02,
					  0x42,
					  (uint8_t)(c >> 24),
					  (uint8_t)(c >> 16),
					  (uint8_t)(c >> 8),
					  (uint8_t)c };
	memcpy(duid, bytes, sizeof bytes);
}

static void emit(uint8_t type, unsigned s, const struct ia *ia)
{
	struct slot *sl = &slots[s];
	uint8_t *b = outbuf[n_out], *p = b;
	*p++ = type;
	*p++ = (uint8_t)(sl->gen >> 4);
	*p++ = (uint8_t)((sl->gen & 15u) << 4 | s >> 8);
	*p++ = (uint8_t)s;
	uint8_t duid[DUID_LEN];
	put_duid(duid, sl->client);
	p = opt(p, O_CLIENTID, sizeof duid, duid);
	if (type != SOLICIT)
		p = opt(p, O_SERVERID, (uint16_t)server_id_len, server_id);
	uint8_t zero[12] = { 0 };
	p = opt(p, O_ELAPSED, 2, zero);
	uint8_t oro[] = { 0, 23, 0, 24 };
	p = opt(p, O_ORO, sizeof oro, oro);
	if (type == SOLICIT && mode == RAPID)
		p = opt(p, O_RAPID, 0, NULL);
	if (ia && ia->len) {
		memcpy(p, ia->bytes, ia->len);
		p += ia->len;
	} else {
		zero[3] = 1; /* IAID 1 */
		if (want_na)
			p = opt(p, O_IA_NA, 12, zero);
		if (want_pd)
			p = opt(p, O_IA_PD, 12, zero);
	}
	outiov[n_out].iov_len = (size_t)(p - b);
	sent[type]++;
	if (++n_out == BATCH)
		flush_out();
}

/* Finds the IAs of an answer. True when every wanted IA holds an address or prefix and no bad
 * status. */
static bool parse(const uint8_t *b, size_t len, struct ia *ia)
{
	bool pd = false, na = false;
	ia->len = 0;
	for (size_t i = 4; i + 4 <= len;) {
		unsigned code = (unsigned)(b[i] << 8 | b[i + 1]),
			 ol = (unsigned)(b[i + 2] << 8 | b[i + 3]);
		if (i + 4 + ol > len)
			return false;
		const uint8_t *d = b + i + 4;
		if (code == O_SERVERID && !server_id_len && ol <= sizeof server_id) {
			memcpy(server_id, d, ol);
			server_id_len = ol;
		}
		if (code == O_STATUS && ol >= 2 && (d[0] | d[1]))
			return false;
		if ((code == O_IA_PD || code == O_IA_NA) && ol >= 12) {
			for (size_t j = 12; j + 4 <= ol;) {
				unsigned c2 = (unsigned)(d[j] << 8 | d[j + 1]),
					 l2 = (unsigned)(d[j + 2] << 8 | d[j + 3]);
				if (j + 4 + l2 > ol)
					return false;
				if (c2 == O_IAPREFIX && l2 >= 25)
					pd = true;
				if (c2 == O_IAADDR && l2 >= 24)
					na = true;
				if (c2 == O_STATUS && l2 >= 2 && (d[j + 4] | d[j + 5]))
					return false;
				j += 4 + l2;
			}
			if (ia->len + 4 + ol > sizeof ia->bytes)
				return false;
			memcpy(ia->bytes + ia->len, b + i, 4 + ol);
			ia->len = (uint16_t)(ia->len + 4 + ol);
		}
		i += 4 + ol;
	}
	return pd >= want_pd && na >= want_na;
}

/* The answer to another client may come to a slot that was given up and begun anew. */
static bool is_for(const uint8_t *b, size_t len, uint32_t client)
{
	uint8_t duid[DUID_LEN];
	put_duid(duid, client);
	for (size_t i = 4; i + 4 <= len; i += 4 + (size_t)(b[i + 2] << 8 | b[i + 3]))
		if (b[i] == 0 && b[i + 1] == O_CLIENTID)
			return i + 4 + DUID_LEN <= len && b[i + 2] == 0 && b[i + 3] == DUID_LEN &&
			       memcmp(b + i + 4, duid, DUID_LEN) == 0;
	return false;
}

static void finish(unsigned s)
{
	if (churn.busy)
		churn.busy[slots[s].client] = false;
	slots[s].state = 0;
	slots[s].gen = (slots[s].gen + 1) & 0xfff;
	free_slots[n_free++] = (uint16_t)s;
}

/* --- churn */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* A line of the log, of the one prefix in `ia`. */
static void tell(uint32_t client, uint8_t what, const struct ia *ia, uint64_t sent_us)
{
	const uint8_t *prefix = ia->bytes + 16; /* the option behind the IA's fixed part */
	struct told *w = &churn.log[churn.n++];
	*w = (struct told){ .sent_us = sent_us,
			    .at_us = real_us(),
			    .client = client + first_client,
			    .preferred_s = be32(prefix + 4),
			    .valid_s = be32(prefix + 8),
			    .what = what,
			    .plen = prefix[12] };
	memcpy(w->prefix, prefix + 13, sizeof w->prefix);
	if (churn.n == sizeof churn.log / sizeof churn.log[0])
		flush_log();
}

static void on_churn_reply(unsigned s, const uint8_t *b, size_t len, uint64_t t)
{
	struct slot *sl = &slots[s];
	struct ia *had = &leases[sl->client], ia;
	uint64_t sent_us = real_us() - (now_ns() - sl->t_leg) / 1000u;
	bool given = parse(b, len, &ia) && ia.len >= 16 + 29 && be32(ia.bytes + 16 + 8) > 0;
	bool same = given && memcmp(ia.bytes + 16 + 12, had->bytes + 16 + 12, 17) == 0;
	/* RFC 9915 §18.3.7: a REPLY to RELEASE names an IA only to say that it is not known. */
	bool no_ia = !given && ia.len == 0;
	if (sl->state == REQUEST && given) {
		tell(sl->client, TOLD_BOUND, &ia, sent_us);
	} else if (sl->state == RENEW && same) {
		tell(sl->client, TOLD_RENEWED, &ia, sent_us);
	} else if (sl->state == RELEASE && no_ia) {
		tell(sl->client, TOLD_RELEASED, had, sent_us);
	} else if (sl->state != REQUEST) {
		tell(sl->client, TOLD_LOST, had, sent_us);
		lost++;
	} else {
		bad++;
		finish(s);
		return;
	}
	if (given) {
		*had = ia;
		churn.until_us[sl->client] = sent_us + (uint64_t)be32(ia.bytes + 16 + 8) * 1000000u;
	} else {
		had->len = 0;
	}
	lat(t - sl->t_start);
	completed++;
	finish(s);
}

static void start_churn(uint64_t t)
{
	enum { MARGIN_US = 3000000 }; /* so close to its end a lease is let go */
	static uint64_t x = 88172645463325252u;
	uint32_t client;
	do {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		client = (uint32_t)((x >> 32) % n_clients_max);
	} while (churn.busy[client]);
	unsigned s = free_slots[--n_free];
	struct slot *sl = &slots[s];
	struct ia *had = &leases[client];
	bool holds = had->len && churn.until_us[client] > real_us() + MARGIN_US;
	churn.busy[client] = true;
	sl->client = client;
	sl->t_start = sl->t_leg = t;
	sl->state = !holds ? SOLICIT : x % 4 ? RENEW : RELEASE;
	if (sl->state == RELEASE)
		tell(client, TOLD_RELEASING, had, real_us());
	emit(sl->state, s, holds ? had : NULL);
	if (!holds)
		had->len = 0;
}

static void give_up(unsigned s)
{
	if (slots[s].state == REQUEST)
		drops2++;
	else
		drops1++;
	if (slots[s].state == RELEASE)
		leases[slots[s].client].len = 0;
	finish(s);
}

static void receive(void)
{
	for (unsigned i = 0; i < BATCH; i++)
		inmsg[i].msg_hdr.msg_flags = 0;
	int n = recvmmsg(fd, inmsg, BATCH, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return;
	uint64_t t = now_ns();
	for (int i = 0; i < n; i++) {
		uint8_t *b = inbuf[i];
		size_t len = inmsg[i].msg_len;
		if (len < 4 || b[0] > 7) {
			bad++;
			continue;
		}
		got[b[0]]++;
		unsigned s = (unsigned)((b[2] & 15) << 8 | b[3]);
		struct slot *sl = &slots[s];
		if (sl->gen != (b[1] << 4 | b[2] >> 4) || !sl->state ||
		    !is_for(b, len, sl->client)) {
			orphans++;
			continue;
		}
		if (mode == CHURN && b[0] == REPLY && sl->state != SOLICIT) {
			on_churn_reply(s, b, len, t);
			continue;
		}
		struct ia ia;
		bool ok = parse(b, len, &ia);
		if (!ok) {
			bad++;
			finish(s);
			continue;
		}
		if (b[0] == ADVERTISE && sl->state == SOLICIT) {
			if (mode == SA) {
				lat(t - sl->t_start);
				completed++;
				finish(s);
				continue;
			}
			if (mode == RAPID)
				continue; /* waits for the REPLY */
			sl->state = REQUEST;
			sl->t_leg = t;
			emit(REQUEST, s, &ia);
		} else if (b[0] == REPLY) {
			lat(t - sl->t_start);
			completed++;
			if (leases && sl->client < n_clients_max)
				leases[sl->client] = ia;
			finish(s);
		} else
			orphans++;
	}
}

static void start(uint32_t client, bool renew, uint64_t t)
{
	unsigned s = free_slots[--n_free];
	struct slot *sl = &slots[s];
	sl->client = client;
	sl->t_start = sl->t_leg = t;
	sl->state = renew ? RENEW : SOLICIT;
	emit(sl->state, s, renew ? &leases[client] : NULL);
}

/* One run: `count` exchanges or `secs` seconds, whichever ends first. */
static double drive(unsigned window, double rate, uint64_t count, double secs, bool renew,
		    uint64_t drop_ns)
{
	uint64_t t0 = now_ns(), started = 0, next_sweep = t0 + 50000000u,
		 t_end = t0 + (uint64_t)(secs * 1e9), t_last = t0;
	completed = 0;
	for (;;) {
		uint64_t t = now_ns();
		bool may_start = started < count && t < t_end && !quit;
		unsigned in_flight = SLOTS - n_free;
		if (may_start) {
			uint64_t due = rate > 0 ? (uint64_t)((double)(t - t0) * rate / 1e9) + 1
						: UINT64_MAX;
			if (due > count)
				due = count;
			unsigned burst = 0;
			while (in_flight < window && started < due && n_free && burst < BATCH) {
				if (mode == CHURN) {
					start_churn(t);
					started++;
					in_flight++;
					burst++;
					continue;
				}
				if (renew && !leases[started].len) {
					started++;
					continue;
				}
				start((uint32_t)started++, renew, t);
				in_flight++;
				burst++;
			}
		}
		flush_out();
		if (!may_start && SLOTS - n_free == 0)
			break;
		struct pollfd p = { fd, POLLIN, 0 };
		struct timespec to = { 0, rate > 0 ? 200000 : 1000000 };
		if (ppoll(&p, 1, &to, NULL) > 0) {
			uint64_t before = completed;
			receive();
			if (completed != before)
				t_last = now_ns();
		}
		t = now_ns();
		if (t > next_sweep) {
			next_sweep = t + 50000000u;
			for (unsigned s = 0; s < SLOTS; s++)
				if (slots[s].state && t - slots[s].t_leg > drop_ns)
					give_up(s);
		}
	}
	return (double)(t_last - t0) / 1e9;
}

static int cmp17(const void *a, const void *b)
{
	return memcmp(a, b, 17);
}

int main(int argc, char **argv)
{
	const char *ifname = NULL, *kind = "pd", *m = "sarr", *log_path = NULL;
	int o;
	unsigned window = 64;
	double rate = 0, secs = 5;
	uint64_t count = UINT64_MAX;
	unsigned drop_ms = 1000;
	while ((o = getopt(argc, argv, "i:k:m:w:r:n:s:b:t:l:")) != -1)
		switch (o) {
		case 'i':
			ifname = optarg;
			break;
		case 'k':
			kind = optarg;
			break;
		case 'm':
			m = optarg;
			break;
		case 'w':
			window = (unsigned)atoi(optarg);
			break;
		case 'r':
			rate = atof(optarg);
			break;
		case 'n':
			count = strtoull(optarg, NULL, 10);
			break;
		case 's':
			secs = atof(optarg);
			break;
		case 'b':
			first_client = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 't':
			drop_ms = (unsigned)atoi(optarg);
			break;
		case 'l':
			log_path = optarg;
			break;
		default:
			fprintf(stderr, "see the head of dhcp6load.c\n");
			return 2;
		}
	if (!ifname) {
		fprintf(stderr, "-i IFACE is needed\n");
		return 2;
	}
	want_pd = strcmp(kind, "na") != 0;
	want_na = strcmp(kind, "pd") != 0;
	mode = !strcmp(m, "sa")      ? SA
	       : !strcmp(m, "rapid") ? RAPID
	       : !strcmp(m, "renew") ? RENEWS
	       : !strcmp(m, "churn") ? CHURN
				     : SARR;
	if (mode == CHURN && want_na) {
		fprintf(stderr, "churn is for prefixes alone\n");
		return 2;
	}
	if (window > SLOTS)
		window = SLOTS;
	if (rate > 0 && window == 64)
		window = SLOTS;
	if ((mode == RENEWS || mode == CHURN) && count == UINT64_MAX)
		count = 20000;

	fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	int one = 1, buf = 64 << 20;
	unsigned ifi = if_nametoindex(ifname);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof buf))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buf, sizeof buf);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof buf);
	if (setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1)) {
		perror(ifname);
		return 1;
	}
	setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &ifi, sizeof ifi);
	struct sockaddr_in6 me = { .sin6_family = AF_INET6, .sin6_port = htons(546) };
	if (bind(fd, (void *)&me, sizeof me)) {
		perror("bind");
		return 1;
	}
	dst = (struct sockaddr_in6){ .sin6_family = AF_INET6,
				     .sin6_port = htons(547),
				     .sin6_scope_id = ifi };
	inet_pton(AF_INET6, "ff02::1:2", &dst.sin6_addr);
	for (unsigned i = 0; i < BATCH; i++) {
		outiov[i].iov_base = outbuf[i];
		outmsg[i].msg_hdr = (struct msghdr){ .msg_name = &dst,
						     .msg_namelen = sizeof dst,
						     .msg_iov = &outiov[i],
						     .msg_iovlen = 1 };
		iniov[i] = (struct iovec){ inbuf[i], PKT };
		inmsg[i].msg_hdr = (struct msghdr){ .msg_iov = &iniov[i], .msg_iovlen = 1 };
	}
	for (unsigned s = SLOTS; s-- > 0;)
		free_slots[n_free++] = (uint16_t)s;
	n_clients_max = count == UINT64_MAX ? 4000000 : (uint32_t)count;
	leases = calloc(n_clients_max, sizeof *leases);
	if (mode == CHURN) {
		churn.until_us = calloc(n_clients_max, sizeof *churn.until_us);
		churn.busy = calloc(n_clients_max, sizeof *churn.busy);
		if (n_clients_max <= SLOTS || !leases || !churn.until_us || !churn.busy) {
			fprintf(stderr, "churn needs more than %d clients\n", SLOTS);
			return 2;
		}
		if (log_path)
			churn.fd = open(log_path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		if (log_path && churn.fd < 0) {
			perror(log_path);
			return 1;
		}
		signal(SIGTERM, on_signal);
		signal(SIGINT, on_signal);
		count = UINT64_MAX;
	}
	if (mode == RENEWS) {
		mode = SARR;
		drive(window, 0, count, 600, false, (uint64_t)drop_ms * 1000000u);
		fprintf(stderr, "established %llu of %llu\n", (unsigned long long)completed,
			(unsigned long long)count);
		memset(sent, 0, sizeof sent);
		memset(got, 0, sizeof got);
		bad = orphans = drops1 = drops2 = 0;
		memset(hist, 0, sizeof hist);
		hist_n = lat_max = 0;
		mode = RENEWS;
	}
	struct rusage r0, r1;
	getrusage(RUSAGE_SELF, &r0);
	double el = drive(window, rate, count, secs, mode == RENEWS, (uint64_t)drop_ms * 1000000u);
	getrusage(RUSAGE_SELF, &r1);
	double cpu = (double)(r1.ru_utime.tv_sec - r0.ru_utime.tv_sec + r1.ru_stime.tv_sec -
			      r0.ru_stime.tv_sec) +
		     (double)(r1.ru_utime.tv_usec - r0.ru_utime.tv_usec + r1.ru_stime.tv_usec -
			      r0.ru_stime.tv_usec) /
			     1e6;

	/* the same prefix or address held by two clients? */
	uint64_t dup = 0, held = 0;
	uint8_t(*v)[17] = malloc((size_t)n_clients_max * 17);
	for (uint32_t c = 0; c < n_clients_max; c++)
		/* (a prefix that expired in churn may be another's by now) */
		if (leases[c].len && (mode != CHURN || churn.until_us[c] > real_us())) {
			const uint8_t *b = leases[c].bytes;
			unsigned code = (unsigned)(b[0] << 8 | b[1]);
			const uint8_t *in = b + 16; /* first option inside the first IA */
			if (code == O_IA_PD) {
				v[held][16] = in[12];
				memcpy(v[held++], in + 13, 16);
			} else {
				v[held][16] = 128;
				memcpy(v[held++], in + 4, 16);
			}
		}
	qsort(v, held, 17, cmp17);
	for (uint64_t i = 1; i < held; i++)
		dup += !memcmp(v[i], v[i - 1], 17);
	uint64_t begun = sent[SOLICIT] + sent[RENEW] + sent[RELEASE];
	printf("{\"mode\":\"%s\",\"kind\":\"%s\",\"window\":%u,\"rate\":%.0f,\"begun\":%llu,"
	       "\"completed\":%llu,\"per_s\":%.0f,"
	       "\"drop_pct\":%.2f,\"drops1\":%llu,\"drops2\":%llu,\"bad\":%llu,\"orphans\":%llu,"
	       "\"lost\":%llu,\"dup\":%llu,"
	       "\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"max_ms\":%.2f,\"seconds\":%.3f,\"load_cpu_us\":%."
	       "2f}\n",
	       m, kind, window, rate, (unsigned long long)begun, (unsigned long long)completed,
	       (double)completed / (el > 0 ? el : 1),
	       begun ? 100.0 * (double)(begun - completed) / (double)begun : 0,
	       (unsigned long long)drops1, (unsigned long long)drops2, (unsigned long long)bad,
	       (unsigned long long)orphans, (unsigned long long)lost, (unsigned long long)dup,
	       pct(0.5), pct(0.99), (double)lat_max / 1e6, el,
	       completed ? cpu * 1e6 / (double)completed : 0);
	return 0;
}
