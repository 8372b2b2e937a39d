/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* `vpc: auto`: which blocks are the VPC's, as the metadata service says. */
#include "user/monitor_internal.h"

#include <string.h>

#include "user/cmd.h"
#include "user/curl_begin.h"

void monitor_start_vpc(struct monitor *m)
{
	int err;

	if (m->vpc || !m->config->network.vpc_auto)
		return;
	err = curl_begin();
	if (!err)
		err = vpc_start(&m->vpc);
	if (err)
		cmd_error("run", "the metadata service can't be asked for the VPC's blocks: %s",
			  err == -EINVAL ? "AWS_EC2_METADATA_SERVICE_ENDPOINT is no http address" : strerror(-err));
}

void monitor_stop_vpc(struct monitor *m)
{
	m->vpc = vpc_stop(m->vpc);
	vpc_news_done(&m->vpc_news);
}

static bool same_blocks(const struct imds_facts *a, const struct imds_facts *b)
{
	return a->nblocks == b->nblocks && (!a->nblocks || !memcmp(a->blocks, b->blocks, a->nblocks * sizeof(*a->blocks)));
}

static void say_news(const struct monitor *m, const struct vpc_news *n)
{
	if (n->state == IMDS_OK && (m->vpc_news.state != IMDS_OK || !same_blocks(&m->vpc_news.facts, &n->facts)))
		cmd_error("run", "%s: %zu block%s of the VPC by the metadata service, %u interface%s", n->facts.vpc_id,
			  n->facts.nblocks, n->facts.nblocks == 1 ? "" : "s", n->facts.interfaces,
			  n->facts.interfaces == 1 ? "" : "s");
	else if (n->state != IMDS_OK && n->state != IMDS_UNKNOWN && n->state != m->vpc_news.state)
		cmd_error("run", "vpc: auto: %s; %s", imds_state_text(n->state),
			  n->told_ns ? "what it told before holds" : "until then only network.vpc_cidrs count as the VPC");
}

void monitor_tell_vpc(struct monitor *m)
{
	const struct vpc_news *n = &m->vpc_news;
	struct model_vpc v = {.asked = m->vpc, .state = imds_state_word(n->state), .why = imds_state_text(n->state),
			      .blocks = (unsigned)(m->config->network.nvpc_cidrs + n->facts.nblocks), .told_ns = n->told_ns};

	snprintf(v.id, sizeof(v.id), "%s", n->facts.vpc_id);
	snprintf(v.instance_id, sizeof(v.instance_id), "%s", n->facts.instance_id);
	snprintf(v.region, sizeof(v.region), "%s", n->facts.region);
	snprintf(v.account, sizeof(v.account), "%s", n->facts.account);
	if (m->model)
		model_set_vpc(m->model, &v);
}

int monitor_take_vpc(struct monitor *m)
{
	struct vpc_news n;
	int err = m->vpc ? vpc_look(m->vpc, &n) : 0;

	if (!m->vpc || err)
		return err;
	bool other = !same_blocks(&m->vpc_news.facts, &n.facts);

	say_news(m, &n);
	vpc_news_done(&m->vpc_news);
	m->vpc_news = n;
	monitor_tell_vpc(m);
	return other && m->model ? monitor_refresh_classes(m) : 0;
}

int monitor_vpc_config(const struct monitor *m, struct config *ret, struct cidr **ret_blocks)
{
	const struct imds_facts *f = &m->vpc_news.facts;
	size_t n = m->config->network.nvpc_cidrs;
	struct cidr *all = calloc(n + f->nblocks + 1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	if (n)
		memcpy(all, m->config->network.vpc_cidrs, n * sizeof(*all));
	if (f->nblocks)
		memcpy(all + n, f->blocks, f->nblocks * sizeof(*all));
	*ret = *m->config;
	ret->network.vpc_cidrs = all;
	ret->network.nvpc_cidrs = n + f->nblocks;
	*ret_blocks = all;
	return 0;
}
