/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What follows from the variables together: defaults that depend on others, and contradictions. */
#pragma once

#include "daemon/config_reading.h"

/* After every variable was parsed by itself: completes rd->c and tells the faults and warnings. */
void config_check(struct reading *rd);
