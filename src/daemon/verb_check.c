/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "daemon/verb_check.h"

#include "daemon/config.h"

#include <errno.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

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
	if (argc > 0) {
		fprintf(stderr,
			"vbng check: unknown argument '%s'. Usage: vbng check [--reference | "
			"--example]\n",
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
	if (r == 0)
		config_print(&c, stdout);
	else if (r == -EINVAL)
		fprintf(stderr, "%zu fault%s\n", report.n_faults, report.n_faults == 1 ? "" : "s");
	else
		fprintf(stderr, "vbng check: %s\n", strerror(-r));
	config_report_done(&report);
	if (r == 0)
		explicit_bzero(&c, sizeof c);
	return r == 0 ? 0 : r == -EINVAL ? EX_CONFIG : EX_SOFTWARE;
}
