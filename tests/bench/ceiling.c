/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ceiling: the least a DHCPv6 prefix-delegation server can do, to know what the machine allows.
 *
 * It answers SOLICIT, REQUEST and RENEW (and RS with an RA) with a prefix from a counter or with
 * the one that the client names; it keeps no table and checks next to nothing. Its options add, one
 * by one, the costs that an honest server cannot avoid:
 *
 *   ceiling -i IFACE -p POOL/LEN [-l DELEGATED_LEN] [-b BATCH] [-j FILE] [-q DB] [-s full|normal]
 * [-r]
 *
 * -j  append a 64-byte record a REPLY to FILE and fdatasync once a batch, before the answers leave
 * -q  (built with -DWITH_SQLITE -lsqlite3) upsert a row a REPLY into DB, WAL, one transaction a
 * batch -s  SQLite's synchronous: full (fsync each commit; default) or normal (no fsync at commit)
 * -r  a route a REPLY in the kernel, one netlink message run a batch, acks awaited
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#ifdef WITH_SQLITE
#include <sqlite3.h>
static sqlite3 *db;
static sqlite3_stmt *st_begin, *st_put, *st_commit;
#endif

enum { MAXB = 1024, PKT = 1500 };
static uint8_t in[MAXB][PKT], out[MAXB][512];
static struct iovec iiov[MAXB], oiov[MAXB];
static struct mmsghdr im[MAXB], om[MAXB];
static struct sockaddr_in6 from[MAXB];
static struct rec {
	uint8_t duid[32];
	uint32_t duid_len, iaid;
	uint8_t prefix[16];
	uint64_t until;
} recs[MAXB];
static unsigned n_rec;
static uint8_t pool[16];
static int pool_len, del_len = 56;
static uint64_t counter;
static unsigned ifi;

static uint8_t *opt(uint8_t *p, unsigned code, unsigned len)
{
	p[0] = (uint8_t)(code >> 8);
	p[1] = (uint8_t)code;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	return p + 4;
}
static void be32(uint8_t *p, uint32_t v)
{
	v = htonl(v);
	memcpy(p, &v, 4);
}

/* The answer to one message, or 0. Fixed order of what is looked for, no more. */
static size_t answer(const uint8_t *b, size_t len, uint8_t *o)
{
	const uint8_t *cid = NULL, *ia = NULL, *pfx = NULL;
	unsigned cid_len = 0, ia_len = 0, ia_code = 0;
	bool rapid = false;
	if (len < 4 || (b[0] != 1 && b[0] != 3 && b[0] != 5 && b[0] != 6))
		return 0;
	for (size_t i = 4; i + 4 <= len;) {
		unsigned c = (unsigned)(b[i] << 8 | b[i + 1]),
			 l = (unsigned)(b[i + 2] << 8 | b[i + 3]);
		if (i + 4 + l > len)
			return 0;
		if (c == 1 && l <= 32) {
			cid = b + i + 4;
			cid_len = l;
		} else if (c == 14)
			rapid = true;
		else if ((c == 25 || c == 3) && l >= 12 && !ia) {
			ia = b + i + 4;
			ia_len = l;
			ia_code = c;
			if (l >= 12 + 4 + 24)
				pfx = ia + 16;
		}
		i += 4 + l;
	}
	(void)ia_len;
	if (!cid || !ia)
		return 0;
	bool reply = b[0] != 1 || rapid;
	uint8_t *p = o;
	*p++ = reply ? 7 : 2;
	*p++ = b[1];
	*p++ = b[2];
	*p++ = b[3];
	p = opt(p, 1, cid_len);
	memcpy(p, cid, cid_len);
	p += cid_len;
	static const uint8_t sid[10] = { 0, 3, 0, 1, 2, 0, 0, 0, 0, 1 };
	p = opt(p, 2, 10);
	memcpy(p, sid, 10);
	p += 10;
	if (rapid)
		p = opt(p, 14, 0);
	uint8_t prefix[16];
	memcpy(prefix, pool, 16);
	if (pfx)
		memcpy(prefix, ia_code == 25 ? pfx + 9 : pfx, 16);
	else {
		uint64_t hi = 0, c = ++counter;
		for (int i = 0; i < 8; i++)
			hi = hi << 8 | prefix[i];
		if (ia_code == 25) {
			hi |= c << (64 - del_len);
			for (int i = 7; i >= 0; i--, hi >>= 8)
				prefix[i] = (uint8_t)hi;
		} else
			for (int i = 15; i >= 8; i--, c >>= 8)
				prefix[i] = (uint8_t)c;
	}
	if (ia_code == 25) {
		p = opt(p, 25, 41);
		memcpy(p, ia, 4);
		be32(p + 4, 1800);
		be32(p + 8, 2880);
		uint8_t *q = opt(p + 12, 26, 25);
		be32(q, 3600);
		be32(q + 4, 7200);
		q[8] = (uint8_t)del_len;
		memcpy(q + 9, prefix, 16);
		p += 41;
	} else {
		p = opt(p, 3, 40);
		memcpy(p, ia, 4);
		be32(p + 4, 1800);
		be32(p + 8, 2880);
		uint8_t *q = opt(p + 12, 5, 24);
		memcpy(q, prefix, 16);
		be32(q + 16, 3600);
		be32(q + 20, 7200);
		p += 40;
	}
	if (reply) {
		struct rec *r = &recs[n_rec++];
		memset(r, 0, sizeof *r);
		memcpy(r->duid, cid, cid_len);
		r->duid_len = cid_len;
		memcpy(&r->iaid, ia, 4);
		memcpy(r->prefix, prefix, 16);
		r->until = 7200;
	}
	return (size_t)(p - o);
}

static int journal = -1, nl = -1;

static void commit_routes(const struct sockaddr_in6 *gw)
{
	static uint8_t buf[MAXB * 128];
	size_t n = 0;
	unsigned want = n_rec;
	for (unsigned i = 0; i < n_rec; i++) {
		struct {
			struct nlmsghdr h;
			struct rtmsg r;
			struct {
				struct rtattr a;
				uint8_t v[16];
			} d, g;
			struct {
				struct rtattr a;
				uint32_t v;
			} oif;
		} *m = (void *)(buf + n);
		memset(m, 0, sizeof *m);
		m->h = (struct nlmsghdr){ sizeof *m, RTM_NEWROUTE,
					  NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
					  i + 1, 0 };
		m->r = (struct rtmsg){ .rtm_family = AF_INET6,
				       .rtm_dst_len = (uint8_t)del_len,
				       .rtm_table = RT_TABLE_MAIN,
				       .rtm_protocol = 200,
				       .rtm_scope = RT_SCOPE_UNIVERSE,
				       .rtm_type = RTN_UNICAST };
		m->d.a = (struct rtattr){ 20, RTA_DST };
		memcpy(m->d.v, recs[i].prefix, 16);
		m->g.a = (struct rtattr){ 20, RTA_GATEWAY };
		memcpy(m->g.v, &gw->sin6_addr, 16);
		m->oif.a = (struct rtattr){ 8, RTA_OIF };
		m->oif.v = ifi;
		n += NLMSG_ALIGN(sizeof *m);
	}
	if (send(nl, buf, n, 0) < 0) {
		perror("netlink send");
		return;
	}
	static uint8_t rb[65536];
	while (want) {
		ssize_t r = recv(nl, rb, sizeof rb, 0);
		if (r <= 0) {
			perror("netlink recv");
			return;
		}
		for (struct nlmsghdr *h = (void *)rb; NLMSG_OK(h, (unsigned)r);
		     h = NLMSG_NEXT(h, r))
			if (h->nlmsg_type == NLMSG_ERROR) {
				struct nlmsgerr *e = NLMSG_DATA(h);
				if (e->error)
					fprintf(stderr, "route: %s\n", strerror(-e->error));
				want--;
			}
	}
}

static void commit(const struct sockaddr_in6 *gw)
{
	if (!n_rec)
		return;
	if (journal >= 0) {
		if (write(journal, recs, n_rec * sizeof *recs) < 0 || fdatasync(journal))
			perror("journal");
	}
#ifdef WITH_SQLITE
	if (db) {
		sqlite3_step(st_begin);
		sqlite3_reset(st_begin);
		for (unsigned i = 0; i < n_rec; i++) {
			sqlite3_bind_blob(st_put, 1, recs[i].duid, (int)recs[i].duid_len,
					  SQLITE_STATIC);
			sqlite3_bind_int64(st_put, 2, ntohl(recs[i].iaid));
			sqlite3_bind_blob(st_put, 3, recs[i].prefix, 16, SQLITE_STATIC);
			sqlite3_bind_int(st_put, 4, del_len);
			sqlite3_bind_blob(st_put, 5, &gw->sin6_addr, 16, SQLITE_STATIC);
			sqlite3_bind_int64(st_put, 6, (sqlite3_int64)recs[i].until);
			if (sqlite3_step(st_put) != SQLITE_DONE)
				fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
			sqlite3_reset(st_put);
		}
		if (sqlite3_step(st_commit) != SQLITE_DONE)
			fprintf(stderr, "sqlite commit: %s\n", sqlite3_errmsg(db));
		sqlite3_reset(st_commit);
	}
#endif
	if (nl >= 0)
		commit_routes(gw);
	n_rec = 0;
}

int main(int argc, char **argv)
{
	const char *ifname = NULL, *dbname = NULL, *sync = "full";
	int o;
	unsigned batch = 64;
	while ((o = getopt(argc, argv, "i:p:l:b:j:q:s:r")) != -1)
		switch (o) {
		case 'i':
			ifname = optarg;
			break;
		case 'l':
			del_len = atoi(optarg);
			break;
		case 'b':
			batch = (unsigned)atoi(optarg);
			break;
		case 'p': {
			char s[64];
			snprintf(s, sizeof s, "%s", optarg);
			char *sl = strchr(s, '/');
			if (sl) {
				*sl = 0;
				pool_len = atoi(sl + 1);
			}
			inet_pton(AF_INET6, s, pool);
			break;
		}
		case 'j':
			journal = open(optarg, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
			break;
		case 'q':
			dbname = optarg;
			break;
		case 's':
			sync = optarg;
			break;
		case 'r':
			nl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
			break;
		default:
			return 2;
		}
	if (!ifname)
		return 2;
	if (batch > MAXB)
		batch = MAXB;
	ifi = if_nametoindex(ifname);
	int buf = 16 << 20, one = 1;
	if (nl >= 0) {
		setsockopt(nl, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof buf);
		setsockopt(nl, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof buf);
	}
#ifdef WITH_SQLITE
	if (dbname) {
		char sql[128];
		snprintf(sql, sizeof sql, "PRAGMA journal_mode=WAL; PRAGMA synchronous=%s;", sync);
		if (sqlite3_open(dbname, &db) || sqlite3_exec(db, sql, 0, 0, 0) ||
		    sqlite3_exec(db,
				 "CREATE TABLE IF NOT EXISTS binding(duid BLOB, iaid INTEGER, "
				 "prefix BLOB, len INTEGER, hop BLOB, until INTEGER, PRIMARY "
				 "KEY(duid, iaid)) WITHOUT ROWID;",
				 0, 0, 0)) {
			fprintf(stderr, "%s\n", sqlite3_errmsg(db));
			return 1;
		}
		sqlite3_prepare_v2(db, "BEGIN IMMEDIATE", -1, &st_begin, 0);
		sqlite3_prepare_v2(db, "COMMIT", -1, &st_commit, 0);
		sqlite3_prepare_v2(
			db,
			"INSERT INTO binding VALUES(?,?,?,?,?,?) ON CONFLICT(duid,iaid) DO UPDATE "
			"SET prefix=excluded.prefix, hop=excluded.hop, until=excluded.until",
			-1, &st_put, 0);
	}
#else
	(void)sync;
	if (dbname) {
		fprintf(stderr, "built without SQLite\n");
		return 2;
	}
#endif
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof buf);
	setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof buf);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1);
	struct sockaddr_in6 me = { .sin6_family = AF_INET6, .sin6_port = htons(547) };
	if (bind(fd, (void *)&me, sizeof me)) {
		perror("bind");
		return 1;
	}
	struct ipv6_mreq mr = { .ipv6mr_interface = ifi };
	inet_pton(AF_INET6, "ff02::1:2", &mr.ipv6mr_multiaddr);
	if (setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &mr, sizeof mr)) {
		perror("join");
		return 1;
	}
	int ic = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_ICMPV6);
	setsockopt(ic, SOL_SOCKET, SO_RCVBUFFORCE, &buf, sizeof buf);
	setsockopt(ic, SOL_SOCKET, SO_SNDBUFFORCE, &buf, sizeof buf);
	struct icmp6_filter f;
	ICMP6_FILTER_SETBLOCKALL(&f);
	ICMP6_FILTER_SETPASS(ND_ROUTER_SOLICIT, &f);
	setsockopt(ic, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f);
	setsockopt(ic, SOL_SOCKET, SO_BINDTODEVICE, ifname, (socklen_t)strlen(ifname) + 1);
	int hops = 255;
	setsockopt(ic, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, sizeof hops);
	setsockopt(ic, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, &hops, sizeof hops);
	inet_pton(AF_INET6, "ff02::2", &mr.ipv6mr_multiaddr);
	setsockopt(ic, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &mr, sizeof mr);
	for (unsigned i = 0; i < MAXB; i++) {
		iiov[i] = (struct iovec){ in[i], PKT };
		im[i].msg_hdr = (struct msghdr){ .msg_name = &from[i],
						 .msg_namelen = sizeof from[i],
						 .msg_iov = &iiov[i],
						 .msg_iovlen = 1 };
	}
	struct pollfd pf[2] = { { fd, POLLIN, 0 }, { ic, POLLIN, 0 } };
	for (;;) {
		if (poll(pf, 2, -1) < 0 && errno != EINTR)
			return 1;
		if (pf[1].revents & POLLIN) {
			uint8_t rs[256];
			struct sockaddr_in6 who;
			socklen_t wl = sizeof who;
			for (int k = 0; k < 64 && recvfrom(ic, rs, sizeof rs, MSG_DONTWAIT,
							   (void *)&who, &wl) > 0;
			     k++, wl = sizeof who) {
				struct nd_router_advert ra = { .nd_ra_type = ND_ROUTER_ADVERT,
							       .nd_ra_curhoplimit = 64,
							       .nd_ra_router_lifetime = htons(1800),
							       .nd_ra_flags_reserved = 0xc0 };
				if (IN6_IS_ADDR_UNSPECIFIED(&who.sin6_addr))
					inet_pton(AF_INET6, "ff02::1", &who.sin6_addr);
				sendto(ic, &ra, sizeof ra, 0, (void *)&who, sizeof who);
			}
		}
		if (!(pf[0].revents & POLLIN))
			continue;
		int n = recvmmsg(fd, im, batch, MSG_DONTWAIT, NULL);
		unsigned m = 0;
		if (n <= 0)
			continue;
		for (int i = 0; i < n; i++) {
			size_t l = answer(in[i], im[i].msg_len, out[m]);
			if (!l)
				continue;
			oiov[m] = (struct iovec){ out[m], l };
			om[m].msg_hdr = (struct msghdr){ .msg_name = &from[i],
							 .msg_namelen = sizeof from[i],
							 .msg_iov = &oiov[m],
							 .msg_iovlen = 1 };
			m++;
		}
		commit(&from[0]);
		for (unsigned d = 0; d < m;) {
			int k = sendmmsg(fd, om + d, m - d, 0);
			d += k > 0 ? (unsigned)k : 1;
		}
	}
}
