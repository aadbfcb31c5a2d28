/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loops over netlink attributes, as libmnl's own, whose macros convert a difference of pointers
 * without saying so. */
#pragma once

#include <libmnl/libmnl.h>
#include <stdbool.h>

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
