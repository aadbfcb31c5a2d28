/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/verb_check.h"

#include "base/log.h"
#include "daemon/config.h"
#include "daemon/preflight.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

static void print_fault(const char *sentence)
{
	fprintf(stderr, "fault: %s\n", sentence);
}

/* What `run` would look for before it touches anything, and what it could not know then. */
static int check_runtime(const struct config *c)
{
	log_setup(LOG_WARNING, LOG_TEXT, NULL);
	struct preflight p;
	int code = preflight_run(c, false, print_fault, &p);
	if (code == 0 && c->backend == WG_BACKEND_AUTO && p.own_rt &&
	    link_kind_usable(p.own_rt, "wireguard") == -EOPNOTSUPP)
		fprintf(stderr, "warning: this kernel has no WireGuard (modprobe wireguard on the "
				"host): wireguard-go is used, which is slower\n");
	preflight_done(&p);
	if (access(c->state_dir, W_OK) < 0)
		fprintf(stderr,
			"warning: STATE_DIR=%s cannot be written (%s): leases would live in memory "
			"alone. Start with -v NAME:%s\n",
			c->state_dir, strerror(errno), c->state_dir);
	if (access("/proc/sys/kernel/seccomp/actions_avail", F_OK) < 0)
		fprintf(stderr,
			"warning: this kernel has no seccomp: all processes keep all system "
			"calls\n");
	if (code == 0)
		puts("all that it needs to start is here");
	return code;
}

int verb_check(int argc, char **argv)
{
	if (argc == 1 && strcmp(argv[0], "--reference") == 0) {
		config_print_reference(stdout);
		return 0;
	}
	if (argc == 1 && strcmp(argv[0], "--example") == 0) {
		config_print_example(stdout);
		return 0;
	}
	bool runtime = argc == 1 && strcmp(argv[0], "--runtime") == 0;
	if (argc > 0 && !runtime) {
		fprintf(stderr,
			"vbng check: unknown argument '%s'. Usage: vbng check [--runtime | "
			"--reference | --example]\n",
			argv[0]);
		return EX_USAGE;
	}
	struct config c;
	struct config_report report;
	int r = config_read(environ, &c, &report);
	for (size_t i = 0; i < report.n_warnings; i++)
		fprintf(stderr, "warning: %s\n", report.warnings[i]);
	for (size_t i = 0; i < report.n_faults; i++)
		fprintf(stderr, "fault: %s\n", report.faults[i]);
	int code = EX_OK;
	if (r == 0 && runtime)
		code = check_runtime(&c);
	else if (r == 0)
		config_print(&c, stdout);
	else if (r == -EINVAL)
		fprintf(stderr, "%zu fault%s\n", report.n_faults, report.n_faults == 1 ? "" : "s");
	else
		fprintf(stderr, "vbng check: %s\n", strerror(-r));
	config_report_done(&report);
	if (r == 0)
		explicit_bzero(&c, sizeof c);
	return r == 0 ? code : r == -EINVAL ? EX_CONFIG : EX_SOFTWARE;
}
