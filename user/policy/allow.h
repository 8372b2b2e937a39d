/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * What network.allow covers. Every field of an entry must match, and what is not known of a flow does not.
 *
 * A name counts where it is proven: it resolved to the flow's address, see enum name_belief; or, as a name of AWS's, the address
 * is one of that service's published ones, which is asked for it. Whoever only says it in a hello is not believed.
 */
#ifndef SLUICE_ALLOW_H
#define SLUICE_ALLOW_H

#include "user/model_internal.h"

/* The first entry that covers the flow and each dataset in `mask`; NULL: none does. Owned by the configuration. */
const struct allow_rule *flow_allow(const struct model *m, const struct m_flow *f, uint64_t mask);

/* Does an entry name the domain, or a host in it, for each dataset in `mask`? Its owner may have them then. */
bool domain_allowed(const struct model *m, const char *domain, uint64_t mask);

/* Does it go to S3, by its name, or by its address? Not where it is proven that it is another service's, or only about buckets,
 * not about what is in them. */
bool flow_is_s3(const struct m_flow *f);

/*
 * Of a flow to S3: the first entry that allows its bucket. An address says nothing about whose a bucket is, so that entries by
 * cidr do not count; one by service alone does where no entry names a bucket or an account.
 */
const struct allow_rule *flow_allow_bucket(const struct model *m, const struct m_flow *f, uint64_t mask);

#endif
