/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * DHCPv6 as frames: who sent what from which Ethernet address, and answers straight to one.
 *
 * A UDP socket does not tell link-layer addresses, and to answer it needs a neighbour entry for
 * each client, of which the kernel keeps about a thousand for all of the host. A packet socket
 * beside it gets the same frames, before UDP does, and sends to an address that
 * it is given.
 */
#pragma once

#include "host/dhcp6_sock.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DHCP6_FRAMES_SEEN = 65536, /* messages remembered: 1.5 MiB, touched as they come */
	DHCP6_FRAMES_LLADDR = 6,
};

struct dhcp6_frames;

/*
 * What is seen is shared by all processes that are forked from whoever opens it: the frames of
 * packets that one of them left in the UDP socket are not there any more for the next.
 *
 * On this Ethernet interface. -EPERM: no CAP_NET_RAW; -ENOTSUP: it is no Ethernet; -ENOMEM and
 * those of socket(2).
 */
int dhcp6_frames_open(const char *ifname, unsigned ifindex, struct dhcp6_frames **ret_frames);
void dhcp6_frames_close(struct dhcp6_frames *f); /* NULL is allowed */

/* Takes in whatever waits, so that dhcp6_frames_sender() knows it; after packets are read from the
 * UDP socket, which their frames have passed before. */
void dhcp6_frames_learn(struct dhcp6_frames *f);
/* Readable while frames wait. Some of them are none of a packet that ever comes (its checksum is
 * wrong, the filter drops it): dhcp6_frames_look() takes in at most a thousand, so that they are
 * not in others' way. */
int dhcp6_frames_fd(const struct dhcp6_frames *f);
void dhcp6_frames_look(struct dhcp6_frames *f);
/*
 * The Ethernet address from which this packet of the UDP socket's came: that of the first frame
 * with the same source and the same message. What others send in somebody's name says nothing of
 * what he sends. False where it is not known: its frame was lost, more came since than are
 * remembered, or it came more than five seconds before the latest look; it came in fragments, of
 * which the first had less than 256 bytes of it. p is not truncated.
 */
bool dhcp6_frames_sender(const struct dhcp6_frames *f, const struct dhcp6_packet *p,
			 uint8_t ret_lladdr[static DHCP6_FRAMES_LLADDR]);

/* One answer, to be sent as a frame. */
struct dhcp6_frame_out {
	struct dhcp6_out out; /* at most mtu - 48 bytes */
	uint8_t lladdr[DHCP6_FRAMES_LLADDR];
};
/*
 * Sends from the link-local address src, port 547. What the kernel refuses is passed over (its
 * client asks again) and counted in *ret_failed (may be NULL). How many left.
 */
size_t dhcp6_frames_send(struct dhcp6_frames *f, const struct in6_addr *src,
			 const struct dhcp6_frame_out *out, size_t n, size_t *ret_failed);
/* A whole IPv6 packet to this Ethernet address. Negative errno where the kernel refuses it. */
int dhcp6_frames_send_packet(struct dhcp6_frames *f,
			     const uint8_t lladdr[static DHCP6_FRAMES_LLADDR], const void *packet,
			     size_t len);
/* The longest answer that goes into one frame, in bytes. */
size_t dhcp6_frames_max(const struct dhcp6_frames *f);
