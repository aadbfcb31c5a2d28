/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loops over netlink attributes, as libmnl's own, whose macros convert a difference of pointers
 * without saying so. */
#pragma once

#include <errno.h>
#include <libmnl/libmnl.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* As mnl_nlmsg_ok(), which takes a length beyond 2 GiB for a negative one. */
static inline bool nlmsg_ok(const struct nlmsghdr *h, int left)
{
	return left >= (int)sizeof *h && h->nlmsg_len <= (uint32_t)left && mnl_nlmsg_ok(h, left);
}

/* What an answer of type NLMSG_ERROR says: 0 or a negative errno; -EPROTO: nothing that one could
 * believe. */
static inline int nlmsg_error(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = (const struct nlmsgerr *)mnl_nlmsg_get_payload(h);
	return mnl_nlmsg_get_payload_len(h) < sizeof *e || e->error > 0 ? -EPROTO : e->error;
}

/* Copies a value of exactly n bytes out; dst is left alone where it has another length. */
static inline bool nlattr_get(const struct nlattr *a, void *dst, size_t n)
{
	if (mnl_attr_get_payload_len(a) != n)
		return false;
	memcpy(dst, mnl_attr_get_payload(a), n);
	return true;
}

static inline bool nlattr_ok(const struct nlattr *a, const void *tail)
{
	return mnl_attr_ok(a, (int)((const char *)tail - (const char *)a));
}

/* Of a message, behind the `offset` bytes of its own header. */
#define nlattr_each(a, h, offset)                                                                  \
	for ((a) = (const struct nlattr *)mnl_nlmsg_get_payload_offset((h), (offset));             \
	     nlattr_ok((a), mnl_nlmsg_get_payload_tail(h)); (a) = mnl_attr_next(a))

/* Of those within another one. */
#define nlattr_each_nested(a, nest)                                                                \
	for ((a) = (const struct nlattr *)mnl_attr_get_payload(nest);                              \
	     nlattr_ok((a),                                                                        \
		       (const char *)mnl_attr_get_payload(nest) + mnl_attr_get_payload_len(nest)); \
	     (a) = mnl_attr_next(a))
