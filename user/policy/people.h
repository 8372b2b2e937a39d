/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Is a subject among those whom the configuration names by user, job and executable? */
#ifndef SLUICE_PEOPLE_H
#define SLUICE_PEOPLE_H

#include "user/model_internal.h"

/* The first of the subject's properties that is not listed, static; NULL: it is one of them. *ret_unknown: the fact that
 * would be needed to tell, or NULL. */
const char *people_lack(const struct model *m, const struct people *who, const struct m_subject *s,
			const char **ret_unknown);

#endif
