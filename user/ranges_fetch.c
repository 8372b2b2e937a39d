/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/ranges_fetch.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "user/dest/aws_ranges.h"
#include "user/turns.h"

#define FRESH_S 86400	     /* how old what is there may become */
#define AGAIN_NS (3600 * NSEC) /* after a failure */
#define SPREAD 8	     /* so that not all hosts ask at one moment: up to one part in so many later */
#define CONNECT_MS 10000L
#define ALL_MS 120000L
#define LOW_BYTES 1024L /* a second, for */
#define LOW_S 30L	/* so long: then it is given up */

struct ranges_fetch {
	struct turns turns;
	CURL *curl;
	char *path, *fresh; /* the file; what comes, until it is checked */
	const char *url;
	int fd;
	pthread_mutex_t lock;
	char why[RANGES_FETCH_WHY];
};

/* --- one try ------------------------------------------------------------------------------- */

struct coming {
	int fd;
	size_t len;
};

static size_t take(char *data, size_t size, size_t n, void *arg)
{
	struct coming *c = arg;
	size_t done = 0;

	if (size * n > AWS_RANGES_BYTES_MAX - c->len)
		return 0;
	while (done < size * n) {
		ssize_t w = write(c->fd, data + done, size * n - done);

		if (w < 0 && errno != EINTR)
			return 0;
		done += w > 0 ? (size_t)w : 0;
	}
	c->len += done;
	return done;
}

static int go_on(void *arg, curl_off_t down, curl_off_t downloaded, curl_off_t up, curl_off_t uploaded)
{
	return turns_ended(arg);
}

static void set_up(struct ranges_fetch *f, struct coming *to, char error[CURL_ERROR_SIZE])
{
	CURL *c = f->curl;

	curl_easy_reset(c);
	curl_easy_setopt(c, CURLOPT_URL, f->url);
	curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(c, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "");
	curl_easy_setopt(c, CURLOPT_USERAGENT, "sluice");
	curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
	curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, ALL_MS);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, LOW_BYTES);
	curl_easy_setopt(c, CURLOPT_LOW_SPEED_TIME, LOW_S);
	curl_easy_setopt(c, CURLOPT_MAXFILESIZE, (long)AWS_RANGES_BYTES_MAX);
	curl_easy_setopt(c, CURLOPT_ERRORBUFFER, error);
	curl_easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(c, CURLOPT_XFERINFOFUNCTION, go_on);
	curl_easy_setopt(c, CURLOPT_XFERINFODATA, &f->turns);
	curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(c, CURLOPT_WRITEDATA, to);
}

/* Into f->fresh. False: `why` says it. */
static bool download(struct ranges_fetch *f, char why[static RANGES_FETCH_WHY])
{
	char error[CURL_ERROR_SIZE] = "", raw[RANGES_FETCH_WHY];
	_cleanup_close_ int fd = open(f->fresh, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
	struct coming to = {.fd = fd};
	CURLcode code;
	long status = 0;

	if (fd < 0) {
		snprintf(why, RANGES_FETCH_WHY, "cannot be written: %s", strerror(errno));
		return false;
	}
	set_up(f, &to, error);
	code = curl_easy_perform(f->curl);
	curl_easy_getinfo(f->curl, CURLINFO_RESPONSE_CODE, &status);
	if (!code && status != 200)
		snprintf(raw, sizeof(raw), "%.200s: status %ld", f->url, status);
	else if (code)
		snprintf(raw, sizeof(raw), "%.200s: %.200s", f->url, *error ? error : curl_easy_strerror(code));
	else if (fsync(fd))
		snprintf(raw, sizeof(raw), "cannot be written: %s", strerror(errno));
	else
		return true;
	text_safe(why, RANGES_FETCH_WHY, raw, strlen(raw));
	return false;
}

static bool put_in_place(struct ranges_fetch *f, char why[static RANGES_FETCH_WHY])
{
	_cleanup_(aws_ranges_freep) struct aws_ranges *checked = NULL;
	struct aws_ranges_error error;
	bool good = !aws_ranges_load(f->fresh, &checked, &error);

	if (!good)
		snprintf(why, RANGES_FETCH_WHY, "%s", error.text);
	else if (rename(f->fresh, f->path)) {
		snprintf(why, RANGES_FETCH_WHY, "cannot be put in place: %s", strerror(errno));
		good = false;
	}
	return good;
}

/* --- again and again -------------------------------------------------------------------------- */

static uint64_t spread(uint64_t ns)
{
	uint64_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = now_boot_ns();
	return ns + random % (ns / SPREAD + 1);
}

/* Until what is there is too old; 0: now. */
static uint64_t fresh_for(const struct ranges_fetch *f)
{
	struct timespec now;
	struct stat st;

	clock_gettime(CLOCK_REALTIME, &now);
	if (stat(f->path, &st) || st.st_mtim.tv_sec > now.tv_sec || now.tv_sec - st.st_mtim.tv_sec >= FRESH_S)
		return 0;
	return (uint64_t)(FRESH_S - (now.tv_sec - st.st_mtim.tv_sec)) * NSEC;
}

static uint64_t fetch(struct ranges_fetch *f)
{
	char why[RANGES_FETCH_WHY] = "";
	bool good = download(f, why) && put_in_place(f, why);

	if (!good)
		unlink(f->fresh);
	if (turns_ended(&f->turns))
		return 0;
	pthread_mutex_lock(&f->lock);
	memcpy(f->why, why, sizeof(f->why));
	pthread_mutex_unlock(&f->lock);
	if (eventfd_write(f->fd, 1))
		return AGAIN_NS; /* it is readable already */
	return good ? spread(FRESH_S * NSEC) : spread(AGAIN_NS);
}

static uint64_t turn(void *arg)
{
	struct ranges_fetch *f = arg;
	uint64_t left = fresh_for(f);

	return left ? left : fetch(f);
}

/* --- life --------------------------------------------------------------------------------------- */

/* Over the network only what its sender vouches for. */
static bool is_good(const char *url)
{
	static const char *const heads[] = {"https://", "http://127.0.0.1:", "http://127.0.0.1/", "http://[::1]:", "http://[::1]/",
					    "http://localhost:", "http://localhost/"};

	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		if (!strncmp(url, heads[i], strlen(heads[i])))
			return true;
	return false;
}

static struct ranges_fetch *dispose(struct ranges_fetch *f)
{
	if (f->curl)
		curl_easy_cleanup(f->curl);
	if (f->fd >= 0)
		close(f->fd);
	free(f->path);
	free(f->fresh);
	free(f);
	return NULL;
}

static int make(const char *dir, struct ranges_fetch *f)
{
	const char *named = getenv("SLUICE_AWS_RANGES_URL");

	f->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	f->url = named && *named ? named : RANGES_FETCH_URL;
	if (f->fd < 0)
		return -errno;
	if (!is_good(f->url))
		return -EINVAL;
	if (asprintf(&f->path, "%s/" RANGES_FETCH_FILE, dir) < 0)
		f->path = NULL;
	if (asprintf(&f->fresh, "%s/." RANGES_FETCH_FILE ".new", dir) < 0)
		f->fresh = NULL;
	f->curl = curl_easy_init();
	return f->path && f->fresh && f->curl ? 0 : -ENOMEM;
}

int ranges_fetch_start(const char *dir, struct ranges_fetch **ret)
{
	struct ranges_fetch *f = calloc(1, sizeof(*f));
	int err = f ? make(dir, f) : -ENOMEM;

	if (!f)
		return err;
	if (!err) {
		pthread_mutex_init(&f->lock, NULL);
		err = turns_start(&f->turns, turn, f);
	}
	if (err) {
		dispose(f);
		return err;
	}
	*ret = f;
	return 0;
}

struct ranges_fetch *ranges_fetch_stop(struct ranges_fetch *f)
{
	if (!f)
		return NULL;
	if (!turns_stop(&f->turns))
		return NULL; /* it uses all of it */
	pthread_mutex_destroy(&f->lock);
	return dispose(f);
}

int ranges_fetch_fd(const struct ranges_fetch *f)
{
	return f->fd;
}

const char *ranges_fetch_path(const struct ranges_fetch *f)
{
	return f->path;
}

bool ranges_fetch_look(struct ranges_fetch *f, char ret_why[static RANGES_FETCH_WHY])
{
	eventfd_t times = 0;

	if (eventfd_read(f->fd, &times))
		times = 0;
	pthread_mutex_lock(&f->lock);
	memcpy(ret_why, f->why, RANGES_FETCH_WHY);
	pthread_mutex_unlock(&f->lock);
	return times;
}
