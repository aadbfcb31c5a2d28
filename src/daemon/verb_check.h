/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* `vbng check [--reference | --example]`: an exit code of the contract. argv begins behind the
 * verb. */
int verb_check(int argc, char **argv);
