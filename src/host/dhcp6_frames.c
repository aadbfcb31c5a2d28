/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "host/dhcp6_frames.h"

#include "base/cleanup.h"
#include "base/pages.h"
#include "base/siphash.h"
#include "host/checksum.h"
#include "host/datagrams.h"
#include "host/sockopt.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
	PORT = 547,
	SOCKET_BUFFER = 16 << 20, /* as UDP's: a street that boots at once */
	HEADERS = sizeof(struct ip6_hdr) + sizeof(struct udphdr),
	HOP_LIMIT = 64,
	SEEN_BYTES = HEADERS + sizeof(struct ip6_frag) + DHCP6_SOCK_PACKET_MAX,
	PIECE = 256, /* of a fragmented message, that its first fragment has at least */
	BATCH = DHCP6_SOCK_BATCH,
	WAYS = 4, /* messages with the same place */
	SETS_LOG2 = 14,
	ROUNDS_MAX = 256, /* what the socket can hold, and more */
	LOOK_ROUNDS = 8,  /* a millisecond */
};

/* A message that came, and whose frame it was. */
struct seen {
	uint64_t message; /* print_of() it; 0, in an empty one */
	uint64_t at_ns;   /* when it was taken in */
	uint8_t lladdr[DHCP6_FRAMES_LLADDR];
};

/* That of fair_take_over(), which asks for a message's sender the latest. */
static const uint64_t AGE_MAX_NS = UINT64_C(5000000000);

enum { SEEN_MEMORY = DHCP6_FRAMES_SEEN * sizeof(struct seen) };

struct frame_headers {
	struct ip6_hdr ip6;
	struct udphdr udp;
};
static_assert(sizeof(struct frame_headers) == HEADERS, "padded");

struct dhcp6_frames {
	int fd;
	unsigned ifindex;
	size_t mtu;
	/* When the latest dhcp6_frames_learn() began, and the one before it: what came since then
	 * may still wait for UDP's turn. */
	uint64_t learning_ns, learned_ns;
	uint64_t now_ns; /* as of the latest look at the socket */
	uint8_t key[16];
	struct mmsghdr in[BATCH];
	struct iovec in_iov[BATCH];
	struct sockaddr_ll from[BATCH];
	uint8_t heads[BATCH][SEEN_BYTES];
	struct mmsghdr out[BATCH];
	struct iovec out_iov[BATCH][2];
	struct sockaddr_ll to[BATCH];
	struct frame_headers headers[BATCH];
	struct seen (*seen)[WAYS]; /* DHCP6_FRAMES_SEEN in all, the latest first; shared */
};

/*
 * What the UDP socket takes, of clients and relays on the link: IPv6, for us and not of another
 * VLAN, from a link-local address, to one of ours or to the groups of servers (RFC 9915 §7.1), no
 * extension headers but that of a first fragment, UDP to port 547, of a length that a message has.
 * Offsets count from the IPv6 header, as SOCK_DGRAM has it; X is the length of what is between it
 * and UDP's.
 */
static int attach_filter(int fd)
{
	enum {
		NEXT_HEADER = offsetof(struct ip6_hdr, ip6_nxt),
		SRC = offsetof(struct ip6_hdr, ip6_src),
		DST = offsetof(struct ip6_hdr, ip6_dst),
		DST_END = DST + sizeof(struct in6_addr) - sizeof(uint32_t),
		FRAGMENT_OF = sizeof(struct ip6_hdr) + offsetof(struct ip6_frag, ip6f_nxt),
		FRAGMENT_AT = sizeof(struct ip6_hdr) + offsetof(struct ip6_frag, ip6f_offlg),
		FRAGMENT_OFFSET = 0xfff8,
		DST_PORT = sizeof(struct ip6_hdr) + offsetof(struct udphdr, dest),
		LENGTH = sizeof(struct ip6_hdr) + offsetof(struct udphdr, len),
		VLAN_ID = 0xfff,
		LINK_LOCAL = 0xfe80,
		LINK_LOCAL_BITS = 0xffc0,
		MULTICAST = 0xff,
		SERVERS_AND_RELAYS = 0x10002, /* the end of ff02::1:2 */
		SERVERS = 0x10003,            /* the end of ff05::1:3 */
		LENGTH_MIN = sizeof(struct udphdr),
		LENGTH_MAX = sizeof(struct udphdr) + DHCP6_SOCK_PACKET_MAX,
	};
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 28),
		BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, NEXT_HEADER),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 6, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_FRAGMENT, 0, 24),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FRAGMENT_OF),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, IPPROTO_UDP, 0, 22),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, FRAGMENT_AT),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, FRAGMENT_OFFSET, 20, 0),
		BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, sizeof(struct ip6_frag)),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, DST_PORT),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PORT, 0, 17),
		BPF_STMT(BPF_LD | BPF_H | BPF_IND, LENGTH),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, LENGTH_MIN, 0, 15),
		BPF_JUMP(BPF_JMP | BPF_JGT | BPF_K, LENGTH_MAX, 14, 0),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, SRC),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, LINK_LOCAL_BITS),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, LINK_LOCAL, 0, 11),
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, DST),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MULTICAST, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, DST_END),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SERVERS_AND_RELAYS, 1, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SERVERS, 0, 6),
		BPF_STMT(BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_VLAN_TAG)),
		BPF_STMT(BPF_ALU | BPF_AND | BPF_K, VLAN_ID), /* 0: a priority alone */
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 3),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PKTTYPE)),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, PACKET_OTHERHOST, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SEEN_BYTES),
		BPF_STMT(BPF_RET | BPF_K, 0),
	};
	return sock_attach_filter(fd, code, ARRAY_LEN(code));
}

static int prepare(int fd, unsigned ifindex)
{
	int r = attach_filter(fd);
	if (r < 0)
		return r;
	sock_set_buffers(fd, SOCKET_BUFFER, SOCKET_BUFFER);
	/* A kernel that does not know it shows us our own frames: they go to port 546, past the
	 * filter. */
	(void)sock_set_int(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
	/* All protocols, for those taps come before IPv6 has its turn: when UDP has a packet, its
	 * frame has been here. */
	const struct sockaddr_ll at = { .sll_family = AF_PACKET,
					.sll_protocol = htons(ETH_P_ALL),
					.sll_ifindex = (int)ifindex };
	return bind(fd, (const struct sockaddr *)&at, sizeof at) < 0 ? -errno : 0;
}

static int read_mtu(int fd, const char *ifname, size_t *ret_mtu)
{
	struct ifreq r = { 0 };
	memcpy(r.ifr_name, ifname, strnlen(ifname, IFNAMSIZ - 1));
	if (ioctl(fd, SIOCGIFHWADDR, &r) < 0)
		return -errno;
	if (r.ifr_hwaddr.sa_family != ARPHRD_ETHER)
		return -ENOTSUP;
	if (ioctl(fd, SIOCGIFMTU, &r) < 0)
		return -errno;
	if (r.ifr_mtu < HEADERS)
		return -ENOTSUP;
	*ret_mtu = (size_t)r.ifr_mtu;
	return 0;
}

static void lay_out(struct dhcp6_frames *f)
{
	for (size_t i = 0; i < BATCH; i++) {
		f->in_iov[i] = (struct iovec){ f->heads[i], sizeof f->heads[i] };
		f->in[i].msg_hdr = (struct msghdr){ .msg_iov = &f->in_iov[i],
						    .msg_iovlen = 1,
						    .msg_name = &f->from[i] };
		f->out_iov[i][0] = (struct iovec){ &f->headers[i], sizeof f->headers[i] };
		f->out[i].msg_hdr = (struct msghdr){ .msg_iov = f->out_iov[i],
						     .msg_iovlen = 2,
						     .msg_name = &f->to[i],
						     .msg_namelen = sizeof f->to[i] };
		f->to[i] = (struct sockaddr_ll){ .sll_family = AF_PACKET,
						 .sll_protocol = htons(ETH_P_IPV6),
						 .sll_ifindex = (int)f->ifindex,
						 .sll_halen = DHCP6_FRAMES_LLADDR };
	}
}

int dhcp6_frames_open(const char *ifname, unsigned ifindex, struct dhcp6_frames **ret_frames)
{
	/* Protocol 0: nothing arrives before the filter is there. */
	AUTO_CLOSE int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	size_t mtu = 0;
	int r = read_mtu(fd, ifname, &mtu);
	if (r == 0)
		r = prepare(fd, ifindex);
	if (r < 0)
		return r;
	struct dhcp6_frames *f = (struct dhcp6_frames *)pages_new(sizeof *f, false);
	/* Frames are read before their packets, of which some may be another process's to read. */
	struct seen(*seen)[WAYS] = (struct seen(*)[WAYS])pages_new(SEEN_MEMORY, true);
	if (!f || !seen) {
		pages_free(f, sizeof *f);
		pages_free(seen, SEEN_MEMORY);
		return -ENOMEM;
	}
	if (getrandom(f->key, sizeof f->key, 0) != (ssize_t)sizeof f->key) {
		pages_free(f, sizeof *f);
		pages_free(seen, SEEN_MEMORY);
		return -EAGAIN;
	}
	f->seen = seen;
	f->ifindex = ifindex;
	f->mtu = mtu;
	lay_out(f);
	f->fd = take_fd(&fd);
	*ret_frames = f;
	return 0;
}

void dhcp6_frames_close(struct dhcp6_frames *f)
{
	if (!f)
		return;
	(void)close(f->fd); /* datagrams: nothing to flush */
	pages_free(f->seen, SEEN_MEMORY);
	pages_free(f, sizeof *f);
}

size_t dhcp6_frames_max(const struct dhcp6_frames *f)
{
	return f->mtu - HEADERS;
}

/* Of the clock that goes on through a suspend, as the ages of messages do. */
static uint64_t clock_ns(void)
{
	struct timespec t;
	(void)clock_gettime(CLOCK_BOOTTIME, &t); /* fails for no clock that the kernel has */
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/*
 * What tells a message from all others, in a frame and in a packet: a keyed hash of where it is
 * from and of all that it says; of what comes in fragments, which no client's message need, of how
 * it begins. Never 0.
 */
static uint64_t print_of(const struct dhcp6_frames *f, const struct dhcp6_packet *p)
{
	const struct {
		struct in6_addr src;
		uint64_t said;
		uint16_t src_port, fragmented;
		uint32_t len;
	} what = { p->src, siphash24(f->key, p->bytes, p->fragmented ? PIECE : p->len), p->src_port,
		   p->fragmented, (uint32_t)p->len };
	static_assert(sizeof what == 32, "padded");
	return siphash24(f->key, &what, sizeof what) | 1;
}

static size_t place_of(uint64_t message)
{
	return message >> (64 - SETS_LOG2);
}
static_assert(DHCP6_FRAMES_SEEN / WAYS == 1 << SETS_LOG2, "place_of() gives so many bits");

static bool is_fresh(const struct dhcp6_frames *f, const struct seen *s)
{
	return s->at_ns <= f->now_ns && f->now_ns - s->at_ns <= AGE_MAX_NS;
}

/*
 * Whoever says the same at once from another Ethernet address repeats what he heard: the first one
 * is the sender. What nobody has said yet cannot be known (it has a transaction id).
 */
static void note_sender(struct dhcp6_frames *f, uint64_t message, const uint8_t *lladdr)
{
	struct seen *set = f->seen[place_of(message)];
	size_t at = 0;
	while (at < WAYS - 1 && set[at].message != message)
		at++;
	struct seen now = { .message = message, .at_ns = f->now_ns };
	memcpy(now.lladdr, lladdr, sizeof now.lladdr);
	if (set[at].message == message && set[at].at_ns >= f->learned_ns && is_fresh(f, &set[at]))
		now = set[at];
	memmove(set + 1, set, at * sizeof *set);
	set[0] = now;
}

static void learn_one(struct dhcp6_frames *f, const uint8_t *head, size_t len,
		      const struct sockaddr_ll *from)
{
	struct frame_headers h;
	size_t at = sizeof h.ip6;
	if (len < sizeof h || from->sll_halen != DHCP6_FRAMES_LLADDR)
		return;
	memcpy(&h.ip6, head, sizeof h.ip6);
	struct dhcp6_packet p = { .src = h.ip6.ip6_src,
				  .fragmented = h.ip6.ip6_nxt == IPPROTO_FRAGMENT };
	if (p.fragmented)
		at += sizeof(struct ip6_frag);
	if (len < at + sizeof h.udp)
		return;
	memcpy(&h.udp, head + at, sizeof h.udp);
	at += sizeof h.udp;
	if (ntohs(h.udp.len) < sizeof h.udp)
		return;
	/* The frame may be longer: Ethernet's have a least length. */
	p.len = ntohs(h.udp.len) - sizeof h.udp;
	p.src_port = ntohs(h.udp.source);
	p.bytes = head + at;
	if (len - at < (p.fragmented ? PIECE : p.len))
		return;
	note_sender(f, print_of(f, &p), from->sll_addr);
}

/* At most so many at once: what comes meanwhile has no end where somebody floods. */
static void take_in(struct dhcp6_frames *f, int rounds)
{
	for (int round = 0; round < rounds; round++) {
		for (size_t i = 0; i < BATCH; i++)
			f->in[i].msg_hdr.msg_namelen = sizeof f->from[i];
		int n = recvmmsg(f->fd, f->in, BATCH, MSG_DONTWAIT, NULL);
		for (int i = 0; i < n; i++)
			learn_one(f, f->heads[i], f->in[i].msg_len, &f->from[i]);
		/* An error here (the link is down) is UDP's, too, and told there. */
		if (n < BATCH)
			return;
	}
}

void dhcp6_frames_learn(struct dhcp6_frames *f)
{
	f->learned_ns = f->learning_ns;
	f->learning_ns = f->now_ns = clock_ns();
	take_in(f, ROUNDS_MAX);
}

void dhcp6_frames_look(struct dhcp6_frames *f)
{
	f->now_ns = clock_ns();
	take_in(f, LOOK_ROUNDS);
}

int dhcp6_frames_fd(const struct dhcp6_frames *f)
{
	return f->fd;
}

bool dhcp6_frames_sender(const struct dhcp6_frames *f, const struct dhcp6_packet *p,
			 uint8_t ret_lladdr[static DHCP6_FRAMES_LLADDR])
{
	if (p->fragmented && p->len < PIECE)
		return false;
	uint64_t message = print_of(f, p);
	const struct seen *set = f->seen[place_of(message)];
	for (size_t i = 0; i < WAYS; i++) {
		if (set[i].message != message || !is_fresh(f, &set[i]))
			continue;
		memcpy(ret_lladdr, set[i].lladdr, sizeof set[i].lladdr);
		return true;
	}
	return false;
}

static uint16_t checksum(const struct frame_headers *h, const uint8_t *bytes, size_t len)
{
	const struct {
		uint32_t len;
		uint8_t zero[3], next;
	} pseudo = { .len = htonl((uint32_t)(len + sizeof h->udp)), .next = IPPROTO_UDP };
	uint64_t s = checksum_add(0, &h->ip6.ip6_src, 2 * sizeof h->ip6.ip6_src);
	s = checksum_add(s, &pseudo, sizeof pseudo);
	s = checksum_add(s, &h->udp, sizeof h->udp);
	return checksum_end(checksum_add(s, bytes, len));
}

struct sending {
	struct dhcp6_frames *f;
	const struct in6_addr *src;
	const struct dhcp6_frame_out *out;
};

static void compose(void *ctx, size_t place, size_t index)
{
	const struct sending *sending = (const struct sending *)ctx;
	struct dhcp6_frames *f = sending->f;
	const struct dhcp6_frame_out *o = &sending->out[index];
	struct frame_headers *h = &f->headers[place];
	const uint16_t udp_len = htons((uint16_t)(o->out.len + sizeof h->udp));
	*h = (struct frame_headers){
		.ip6 = { .ip6_src = *sending->src, .ip6_dst = o->out.dst },
		.udp = { .source = htons(PORT), .dest = htons(o->out.dst_port), .len = udp_len },
	};
	h->ip6.ip6_vfc = 6 << 4;
	h->ip6.ip6_plen = udp_len;
	h->ip6.ip6_nxt = IPPROTO_UDP;
	h->ip6.ip6_hlim = HOP_LIMIT;
	h->udp.check = checksum(h, o->out.bytes, o->out.len);
	/* sendmmsg takes what it does not change as non-const */
	f->out_iov[place][1] = (struct iovec){ (void *)(uintptr_t)o->out.bytes, o->out.len };
	memcpy(f->to[place].sll_addr, o->lladdr, DHCP6_FRAMES_LLADDR);
}

size_t dhcp6_frames_send(struct dhcp6_frames *f, const struct in6_addr *src,
			 const struct dhcp6_frame_out *out, size_t n, size_t *ret_failed)
{
	struct sending sending = { f, src, out };
	return datagrams_send(f->fd, f->out, BATCH, compose, &sending, n, ret_failed);
}

int dhcp6_frames_send_packet(struct dhcp6_frames *f,
			     const uint8_t lladdr[static DHCP6_FRAMES_LLADDR], const void *packet,
			     size_t len)
{
	struct sockaddr_ll to = f->to[0];
	memcpy(to.sll_addr, lladdr, DHCP6_FRAMES_LLADDR);
	ssize_t n = sendto(f->fd, packet, len, 0, (const struct sockaddr *)&to, sizeof to);
	return n < 0 ? -errno : 0;
}
