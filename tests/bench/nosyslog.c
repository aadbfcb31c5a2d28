/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Preloaded into a server that logs every packet to syslog, to see what it does without (see
 * servers/isc-nosyslog). */
#include <stdarg.h>
void syslog(int p, const char *f, ...)
{
	(void)p;
	(void)f;
}
void vsyslog(int p, const char *f, va_list a)
{
	(void)p;
	(void)f;
	(void)a;
}
void __syslog_chk(int p, int g, const char *f, ...)
{
	(void)p;
	(void)g;
	(void)f;
}
void __vsyslog_chk(int p, int g, const char *f, va_list a)
{
	(void)p;
	(void)g;
	(void)f;
	(void)a;
}
