/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/config_text.h"
#include "user/show_text.h"
#include "user/table_text.h"
#include "user/value_text.h"

static const char *const views[] = {"datasets", "jobs", "processes", "flows", "findings", "health"};

/* Single quotes stand for double ones. */
static json_t *parse(const char *text)
{
	_cleanup_free_ char *copy = strdup(text);
	json_error_t e;

	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	json_t *v = json_loads(copy, JSON_DECODE_ANY, &e);
	if (!v)
		fail_msg("%s: %s", e.text, text);
	return v;
}

static char *show(const char *what, const json_t *document, unsigned width, int expect)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_int_equal(show_text(what, document, width, f), expect);
	fclose(f);
	return text;
}

static void assert_shows(const char *what, const char *document, unsigned width, const char *expect)
{
	json_t *d = parse(document);
	_cleanup_free_ char *text = show(what, d, width, 0);

	assert_string_equal(text, expect);
	json_decref(d);
}

static void assert_text(const char *value, enum value_format format, const char *expect)
{
	json_t *v = parse(value);
	_cleanup_free_ char *text = value_text(v, format, "2026-11-20T23:59:59.000Z");

	if (expect)
		assert_string_equal(text, expect);
	else
		assert_null(text);
	json_decref(v);
}

static void test_values(void **state)
{
	assert_text("'x'", FORMAT_TEXT, "x");
	assert_text("17", FORMAT_TEXT, "17");
	assert_text("null", FORMAT_TEXT, NULL);
	assert_text("{}", FORMAT_TEXT, NULL);
	assert_text("1536", FORMAT_SIZE, "1.5 KiB");
	assert_text("0", FORMAT_SIZE, "0 B");
	assert_text("1048583", FORMAT_BOUND, "1.01 MiB");
	assert_text("-1", FORMAT_BOUND, NULL);
	assert_text("-1", FORMAT_SIZE, NULL);
	assert_text("1.5", FORMAT_SIZE, NULL);
	assert_text("'9'", FORMAT_SIZE, NULL);
	assert_text("9223372036854775807", FORMAT_SIZE, "8.0 EiB");
	assert_text("[1,2]", FORMAT_COUNT, "2");
	assert_text("{'a':1}", FORMAT_COUNT, "1");
	assert_text("0.0042", FORMAT_SHARE, "0.4 %");
	assert_text("['a','b',3,null]", FORMAT_NAMES, "a, b, 3, ?");
	assert_text("[]", FORMAT_NAMES, "-");
	assert_text("{'DataType':'PII','Owner':'x'}", FORMAT_TAGS, "DataType=PII, Owner=x");
	assert_text("{'patients':1048576,'y':null}", FORMAT_BOUNDS, "patients 1.00 MiB, y ?");
	assert_text("true", FORMAT_YES, "yes");
	assert_text("null", FORMAT_YES, NULL);
	assert_text("1", FORMAT_YES, NULL);
	assert_text("'2026-11-20T23:12:46.001Z'", FORMAT_TIME, "23:12:46");
	assert_text("'2026-11-19T23:12:46.001Z'", FORMAT_TIME, "2026-11-19");
	assert_text("'soon'", FORMAT_TIME, NULL);
	assert_text("{'pid':7,'comm':'sh'}", FORMAT_PROCESS, "sh[7]");
	assert_text("{'pid':7,'comm':null}", FORMAT_PROCESS, "?[7]");
	assert_text("{}", FORMAT_PROCESS, NULL);
	assert_text("{'process':{'pid':7,'comm':'sh'},'merged':0}", FORMAT_SUBJECT, "sh[7]");
	assert_text("{'process':null,'merged':12}", FORMAT_SUBJECT, "12 ended");
	assert_text("{'addr':'10.0.0.1','port':443,'name':null}", FORMAT_REMOTE, "10.0.0.1:443");
	assert_text("{'addr':'2001:db8::1','port':443}", FORMAT_REMOTE, "[2001:db8::1]:443");
	assert_text("{'addr':'10.0.0.1','port':443,'name':'x.org'}", FORMAT_REMOTE, "x.org:443");
	assert_text("{'addr':null}", FORMAT_REMOTE, NULL);
}

static void test_long_lists_end(void **state)
{
	json_t *list = json_array();

	for (int i = 0; i < 100000; i++)
		json_array_append_new(list, json_string("x"));
	_cleanup_free_ char *text = value_text(list, FORMAT_NAMES, NULL);
	assert_true(strlen(text) < 300);
	assert_non_null(strstr(text, ", …"));
	json_decref(list);
}

static void test_datasets(void **state)
{
	assert_shows(
	    "datasets",
	    "{'type':'datasets','items':[{'id':'patients','path':'/data/"
	    "patients','tags':{'DataType':'PII'},"
	    "'bytes_total':null,'files_total':3,'bytes_read':1536,'files_read':2,'readers':1,"
	    "'used':{'files_read':2,'files_total':3,'files_unread':1,'files_share':0.6666,'bytes_share_most':0.0401,'exact':true},"
	    "'volume_outside':0,'findings':0}]}",
	    0,
	    "DATASET   PATH            TAGS          SIZE     READ      FILES READ  OF ITS BYTES  READERS  "
	    "OUTSIDE  FINDINGS\n"
	    "patients  /data/patients  DataType=PII     ?  1.5 KiB  2 of 3, 66.7 %        ≤4.1 %        1      "
	    "0 B         0\n");
	assert_shows("datasets", "{'type':'datasets','items':[]}", 0, "no datasets\n");
}

/* What is not known is a bound, or a question mark; never 0. */
static void test_used(void **state)
{
	assert_text("{'files_read':2,'files_total':3,'files_unread':2,'files_share':0.3333,'exact':true}", FORMAT_USED,
		    "1 of 3, 33.3 %");
	assert_text("{'files_read':2,'files_total':3,'files_unread':1,'files_share':0.6666,'exact':false}", FORMAT_USED,
		    "≥2 of 3, ≥66.7 %");
	assert_text("{'files_read':2,'files_total':null,'files_unread':null,'files_share':null,'exact':true}", FORMAT_USED,
		    "2 of ?");
	assert_text("{'files_read':null,'files_total':3,'files_unread':3,'files_share':0.0,'exact':false}", FORMAT_USED, NULL);
	assert_text("{'d':{'files_read':7,'files_total':7,'files_unread':0,'bytes_share_most':0.5,'exact':true},'e':{}}",
		    FORMAT_USES, "d 7 of 7 files, ≤50.0 % of bytes, e ? files, ? of bytes");
	assert_text("0.0401", FORMAT_MOST, "≤4.1 %"); /* a bound is never told as less than it is */
	assert_text("0.71", FORMAT_MOST, "≤71.0 %");
	assert_text("0", FORMAT_MOST, "≤0.0 %");
}

static void test_unread(void **state)
{
	static const char head[] = "{'type':'unread','dataset':'d','path':'/d','job':null,'used':{'files_read':1,"
				   "'files_total':4,'files_unread':3,'files_share':0.25,'bytes_share_most':0.1,'exact':true},";
	char text[1024];

	snprintf(text, sizeof(text), "%s'items':[{'path':'a\\u001b[2J','size':1024},{'path':'b','size':7}],'rest':1}", head);
	assert_shows("unread", text, 0,
		     "d in /d: 1 of 4, 25.0 % of its files, ≤10.0 % of its bytes read by anyone\n"
		     "   SIZE  NEVER READ\n"
		     "1.0 KiB  a?[2J\n"
		     "    7 B  b\n"
		     "and 1 more\n");
	assert_shows("unread", "{'type':'unread','dataset':'d','path':'/d','job':'j','used':{'exact':true},'items':[],'rest':null}",
		     0,
		     "d in /d: ? of its files, ? of its bytes read by j\n"
		     "how many were never read is not known: not all of the dataset could be looked at, or not yet\n");
	json_t *d = parse("{'type':'unread'}");
	free(show("unread", d, 0, -EPROTO));
	json_decref(d);
}

static const char findings[] =
    "{'type':'findings','time':'2026-11-20T23:59:59.000Z','items':["
    "{'rule':'egress.unexpected','severity':'medium','leak_bound':null,'count':2,"
    "'process':{'pid':3,'comm':'c'},'job':'j','remote':{'addr':'1.2.3.4','port':80},"
    "'last':'2026-11-20T10:00:00.000Z','title':'t3','chain':[],'coverage':[]},"
    "{'rule':'exfil.volume','severity':'medium','dataset':'d','leak_bound':2048,'exposed':4096,'"
    "count':1,"
    "'process':{'pid':1,'comm':'a'},'job':null,'remote':{'addr':'1.2.3.4','port':80},"
    "'last':'2026-11-19T10:00:00.000Z','title':'t2','coverage':['read.io_uring'],"
    "'chain':[{'from':'dataset d','to':'process r[2]','via':'read','bytes':4096},"
    "{'from':'process r[2]','to':'process a[1]','via':'fork','bytes':null},"
    "{'from':'process a[1]','to':'1.2.3.4:80','via':'tcp','bytes':2048}]},"
    "{'rule':'access.unauthorized','severity':'critical','dataset':'d','leak_bound':null,'remote':"
    "null,"
    "'last':'2026-11-20T10:00:01.000Z','title':'t1','coverage':['a','b','c','d','e']}]}";

/* Worst first, a known bound before an unknown one, the chain drawn hop by hop. */
static void test_findings(void **state)
{
	assert_shows("findings", findings, 0,
		     "SEVERITY  RULE                 DATASET  LEAK BOUND  EXPOSED  PROCESS  JOB  "
		     "DESTINATION  COUNT  LAST        ID\n"
		     "critical  access.unauthorized  d                 ?        ?  ?        ?    - "
		     "               ?  10:00:01    ?\n"
		     "    t1\n"
		     "    weakened by 5 gaps in what is measured: see `sluice show health`\n"
		     "medium    exfil.volume         d          2.00 KiB  4.0 KiB  a[1]     ?    "
		     "1.2.3.4:80       1  2026-11-19  ?\n"
		     "    t2\n"
		     "    dataset d\n"
		     "    └ read 4.0 KiB → process r[2]\n"
		     "      └ fork → process a[1]\n"
		     "        └ tcp 2.0 KiB → 1.2.3.4:80\n"
		     "    weakened by what is not measured: read.io_uring\n"
		     "medium    egress.unexpected    -                 ?        ?  c[3]     j    "
		     "1.2.3.4:80       2  10:00:00    ?\n"
		     "    t3\n");
}

static void test_long_chain(void **state)
{
	json_t *chain = json_array(), *d;

	for (int i = 0; i < 1000; i++)
		json_array_append_new(chain, json_pack("{s:s,s:s,s:s,s:i}", "from", "a", "to", "b",
						       "via", "fork", "bytes", i));
	d = json_pack("{s:s,s:[{s:s,s:o}]}", "type", "findings", "items", "severity", "low",
		      "chain", chain);
	_cleanup_free_ char *text = show("findings", d, 80, 0);
	assert_true(strlen(text) < 10000);
	assert_non_null(strstr(text, "… and 936 hops more"));
	json_decref(d);
}

static void test_order_by_figures(void **state)
{
	assert_shows("jobs",
		     "{'type':'jobs','items':[{'job':'a','leak_bound':0},{'job':'b'},{'job':'c','"
		     "leak_bound':9},"
		     "{'job':'d','leak_bound':0,'bytes_read':1},{'job':'e','leak_bound':0}]}",
		     70,
		     "JOB  ML  DATASETS  PROCESSES  READ  OUT  TAINTED OUT  LEAK BOUND\n"
		     "c    ?   ?                 ?     ?    ?            ?         9 B\n"
		     "d    ?   ?                 ?   1 B    ?            ?         0 B\n"
		     "a    ?   ?                 ?     ?    ?            ?         0 B\n"
		     "e    ?   ?                 ?     ?    ?            ?         0 B\n"
		     "b    ?   ?                 ?     ?    ?            ?           ?\n");
}

static void test_why_ml(void **state)
{
	json_t *d = parse("{'type':'jobs','items':[{'job':'a','ml':true,'job_labels':{'job_name':'x y','world_size':8},'ml_reason':["
			  "{'sign':'accelerator','name':'nvidia0','pid':7,'comm':'python3'},"
			  "{'sign':'named','name':'slurm:*','pid':null,'comm':null},{},7]},"
			  "{'job':'b','ml':false,'ml_reason':[],'job_labels':{}}]}");
	_cleanup_free_ char *text = show("jobs", d, 0, 0);

	assert_non_null(strstr(text, "accelerator nvidia0 in python3[7], named slurm:*, ? ?, ? ?"));
	assert_non_null(strstr(text, "job_name=x y, world_size=8"));
	assert_non_null(strstr(text, "\nb    no   -"));
	json_decref(d);
}

static void test_exporter(void **state)
{
	json_t *d = parse("{'type':'health','health':{'exporter':{'state':'failing','why':'PutLogEvents: no answer','last_error':'x',"
			  "'log_group':'/sluice/i-1','log_stream':'i-1.0a','lag_records':1234,'lag_ms':61700,'sent':77,"
			  "'dropped':{'gone':3,'refused':0},'cut':1,'retimed':0,'maybe_repeated':2,"
			  "'credentials':{'source':'instance','expire':'2026-11-27T01:00:00.000Z'}}}}");
	json_t *well = parse("{'type':'health','health':{'exporter':{'state':'good','why':null,'last_error':'it was \\u001b[31m',"
			     "'log_group':null,'log_stream':null,'lag_records':null,'lag_ms':null,'sent':0,'credentials':{}}}}");
	_cleanup_free_ char *text = show("health", d, 0, 0), *other = show("health", well, 0, 0);

	assert_non_null(strstr(text, "exporter          failing: PutLogEvents: no answer\n"));
	assert_non_null(strstr(text, " 77 records sent, 1234 behind (61.7 s)\n"));
	assert_non_null(strstr(text, " to /sluice/i-1, stream i-1.0a\n"));
	assert_non_null(strstr(text, " credentials: instance, until 2026-11-27T01:00:00.000Z\n"));
	assert_non_null(strstr(text, " dropped, gone: 3\n"));
	assert_null(strstr(text, "refused"));
	assert_non_null(strstr(text, " maybe_repeated: 2\n"));
	assert_null(strstr(text, "last error"));
	assert_non_null(strstr(other, "exporter          good\n"));
	assert_non_null(strstr(other, " 0 records sent, ? behind (? s)\n")); /* unknown is not 0 */
	assert_non_null(strstr(other, " last error: it was ?[31m\n"));
	json_decref(d);
	json_decref(well);
}

static void test_health(void **state)
{
	json_t *d = parse(
	    "{'type':'health','health':{'backend':'tracepoint','cpu':0.004,'memory':{'rss':1048576,"
	    "'maps':null},"
	    "'losses':{'ring_full':3,'no_file':0,'walk_deep':null},'maps':[{'name':'flows','"
	    "entries':1,'max':9}],"
	    "'owners':['read.read=on_sys_exit'],'gaps':['taint.unix: not yet'],'limits':['read.read: not all'],"
	    "'programs':[{'name':'a_read','recursion_misses':3},{'name':'a_tee','recursion_misses':0},"
	    "{'name':'on_fork','recursion_misses':null}],'exporter':null,"
	    "'aws_ranges':{'file':'/etc/r.json','created':'2026-08-22T21:17:05.000Z','prefixes':11012}}}");
	_cleanup_free_ char *text = show("health", d, 0, 0);

	assert_non_null(strstr(text, "hook set          tracepoint\n"));
	assert_non_null(strstr(text, "processor         0.4 % of one core\n"));
	assert_non_null(strstr(text, "memory            1.0 MiB\n"));
	assert_non_null(strstr(text, "memory of maps    ?\n")); /* unknown is not 0 */
	assert_non_null(strstr(text, "maps              flows: 1 of 9\n"));
	assert_non_null(
	    strstr(text, "losses            ring_full: 3\n                  walk_deep: ?\n"));
	assert_null(strstr(text, "no_file"));
	assert_null(strstr(text, "exporter"));
	assert_non_null(strstr(text, "not measured      taint.unix: not yet\n"));
	assert_non_null(strstr(text, "measured in part  read.read: not all\n"));
	assert_non_null(strstr(text, "did not run       a_read: 3 times\n"));
	assert_null(strstr(text, "a_tee"));
	assert_null(strstr(text, "on_fork: "));
	assert_non_null(strstr(text, "AWS ranges        11012 prefixes, made 2026-08-22T21:17:05.000Z: /etc/r.json\n"));
	json_decref(d);
	d = parse("{'type':'health','health':{'losses':{'ring_full':0}}}");
	_cleanup_free_ char *none = show("health", d, 0, 0);
	assert_non_null(strstr(none, "losses            none\n"));
	assert_null(strstr(none, "AWS ranges"));
	json_decref(d);
}

static void test_wrong_documents(void **state)
{
	static const char *const wrong[] = {"{}", "{'type':'moon','items':[]}",
					    "{'type':7,'items':[]}"};

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		json_t *d = parse(wrong[i]);

		for (size_t v = 0; v < ARRAY_SIZE(views); v++)
			free(show(views[v], d, 80, -EPROTO));
		free(show("moon", d, 80, -EINVAL));
		json_decref(d);
	}
	json_t *d = parse("{'type':'flows','items':{}}");
	free(show("flows", d, 80, -EPROTO));
	json_decref(d);
	d = parse("{'type':'health','health':[]}");
	free(show("health", d, 80, -EPROTO));
	json_decref(d);
}

static json_t *any_value(unsigned *seed, int depth)
{
	static const char *const keys[] = {
	    "process",	"pid",	      "comm",	  "remote", "addr",   "port", "chain",
	    "via",	"bytes",      "to",	  "from",   "read",   "tags", "title",
	    "severity", "leak_bound", "coverage", "volume", "losses", "maps", "gaps",
	    "memory",	"rss",	      "model",	  "name",   "id",     "last", "merged"};
	json_t *v;

	switch (rand_r(seed) % (depth > 4 ? 5 : 8)) {
	case 0:
		return json_null();
	case 1:
		return json_integer((json_int_t)rand_r(seed) * (rand_r(seed) % 3 - 1) *
				    (1LL << rand_r(seed) % 32));
	case 2:
		return json_real(rand_r(seed) % 2 ? 1e308 : -0.1);
	case 3:
		return json_boolean(rand_r(seed) % 2);
	case 4:
		return json_string(rand_r(seed) % 2 ? "\x1b[2J\u202e\n\xc2\x9b" : "データ");
	case 5:
		v = json_array();
		for (int i = rand_r(seed) % 4; i > 0; i--)
			json_array_append_new(v, any_value(seed, depth + 1));
		return v;
	default:
		v = json_object();
		for (int i = rand_r(seed) % 12; i > 0; i--)
			json_object_set_new(v, keys[(size_t)rand_r(seed) % ARRAY_SIZE(keys)],
					    any_value(seed, depth + 1));
		return v;
	}
}

/* Whatever a false monitor sends is shown without a crash, within the width, and drives nothing. */
static void test_any_document(void **state)
{
	unsigned seed = 11;

	for (int round = 0; round < 3000; round++) {
		const char *what = views[(size_t)round % ARRAY_SIZE(views)];
		json_t *d =
		    json_pack("{s:s,s:[o,o],s:o}", "type", what, "items", any_value(&seed, 0),
			      any_value(&seed, 0), "health", json_object());
		json_t *health = any_value(&seed, 0);

		if (json_is_object(health))
			json_object_set(d, "health", health);
		json_decref(health);
		_cleanup_free_ char *text = show(what, d, 60 + (unsigned)round % 100, 0);
		for (const char *s = text; *s;) {
			uint32_t cp;
			size_t n = utf8_next(s, strlen(s), &cp);

			assert_true(n > 0 && (cp == '\n' || (cp >= 0x20 && cp != 0x7f &&
							     !(cp >= 0x80 && cp < 0xa0))));
			assert_true(cp != 0x202e);
			s += n;
		}
		json_decref(d);
	}
}

static size_t kept(const char *since, const char *until)
{
	json_t *d = parse(
	    "{'items':[{'first':'2026-11-20T10:00:00.000Z','last':'2026-11-20T11:00:00.000Z'},"
	    "{'id':'timeless'},{'process':{'start':'2026-11-20T12:00:00Z'}},{'last':'nonsense'},7]"
	    "}");
	struct timespec s, u;
	size_t n;

	if (since)
		assert_int_equal(time_parse(since, &s), 0);
	if (until)
		assert_int_equal(time_parse(until, &u), 0);
	show_filter(d, since ? &s : NULL, until ? &u : NULL);
	n = json_array_size(json_object_get(d, "items"));
	json_decref(d);
	return n;
}

static void test_filter(void **state)
{
	assert_int_equal(kept(NULL, NULL), 5);
	assert_int_equal(kept("2026-11-20T11:00:00.000Z", NULL), 5);
	assert_int_equal(kept("2026-11-20T11:00:00.001Z", NULL), 4);
	assert_int_equal(kept(NULL, "2026-11-20T10:00:00Z"), 4);
	assert_int_equal(kept(NULL, "2026-11-20T09:59:59.999Z"), 3);
	assert_int_equal(kept("2026-11-20T10:30:00Z", "2026-11-20T12:00:00Z"), 5);
	json_t *none = parse("{}");
	struct timespec t = {};
	show_filter(none, &t, &t);
	assert_null(json_object_get(none, "items"));
	json_decref(none);
}

static const char config_yaml[] = "datasets:\n"
				  "  - id: patients\n"
				  "    path: /data/patients\n"
				  "    tags: { DataType: PII }\n"
				  "    readers: { users: [trainer], exe: [/usr/bin/python3*] }\n"
				  "    budget: { outside_vpc: 1MiB, per: 24h }\n"
				  "  - id: other\n"
				  "    path: /data/other\n"
				  "network:\n"
				  "  vpc: off\n"
				  "  vpc_cidrs: [10.0.0.0/16, \"2001:db8::/32\"]\n"
				  "  allow:\n"
				  "    - { cidr: 203.0.113.0/24, port: 443 }\n"
				  "interval: 1500ms\n";

static void test_config(void **state)
{
	_cleanup_(config_freep) struct config *c = NULL;
	struct config_error error = {};
	char *text = NULL;
	size_t len;

	if (config_parse(config_yaml, strlen(config_yaml), "test.yaml", false, &c, &error) < 0)
		fail_msg("%s", error.text);
	json_t *j = config_json(c), *cidrs = (json_t *)json_at(j, "network.vpc_cidrs");
	assert_string_equal(json_string_value(json_array_get(cidrs, 0)), "10.0.0.0/16");
	assert_string_equal(json_string_value(json_array_get(cidrs, 1)), "2001:db8::/32");
	assert_string_equal(json_string_value(json_at(j, "interval")), "1500ms");
	assert_null(json_at(j, "journal"));
	FILE *f = open_memstream(&text, &len);
	assert_int_equal(config_print(j, 0, f), 0);
	fclose(f);
	assert_non_null(strstr(
	    text, "patients  /data/patients  DataType=PII  users trainer; exe /usr/bin/python3*  "
		  "1.0 MiB per 24h  alert\n"));
	assert_non_null(strstr(text, "other     /data/other     -             anyone"));
	assert_non_null(strstr(text, "allowed                   cidr=203.0.113.0/24, port=443\n"));
	free(text);
	json_decref(j);
}

static void test_durations(void **state)
{
	char text[DURATION_LEN];

	assert_string_equal(duration_text(text, 24 * 3600 * NSEC), "24h");
	assert_string_equal(duration_text(text, 30 * 86400 * NSEC), "30d");
	assert_string_equal(duration_text(text, 36 * 3600 * NSEC), "36h");
	assert_string_equal(duration_text(text, 90 * NSEC), "90s");
	assert_string_equal(duration_text(text, 15 * 60 * NSEC), "15m");
	assert_string_equal(duration_text(text, NSEC / 4), "250ms");
	assert_string_equal(duration_text(text, 0), "0ms");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),	 cmocka_unit_test(test_long_lists_end),
	    cmocka_unit_test(test_datasets),	 cmocka_unit_test(test_findings),
	    cmocka_unit_test(test_used),	 cmocka_unit_test(test_unread),
	    cmocka_unit_test(test_long_chain),	 cmocka_unit_test(test_order_by_figures),
	    cmocka_unit_test(test_why_ml),
	    cmocka_unit_test(test_exporter),
	    cmocka_unit_test(test_health),	 cmocka_unit_test(test_wrong_documents),
	    cmocka_unit_test(test_any_document), cmocka_unit_test(test_filter),
	    cmocka_unit_test(test_config),	 cmocka_unit_test(test_durations),
	};

	return cmocka_run_group_tests_name("show_text", tests, NULL, NULL);
}
