/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* `vbng genkey` and `vbng pubkey`, as wg's: exit codes of the contract. argv begins behind the
 * verb. */
int verb_genkey(int argc, char **argv);
int verb_pubkey(int argc, char **argv);
