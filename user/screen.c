/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/screen.h"

#include <sys/ioctl.h>

#define WIDTH_MIN 40
#define WIDTH_MAX 1000

unsigned screen_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize size;
	unsigned long n = columns ? strtoul(columns, NULL, 10) : 0;

	if (n == 0 && isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		n = size.ws_col;
	return n ? (unsigned)MIN(MAX(n, WIDTH_MIN), WIDTH_MAX) : 0;
}

int screen_json(json_t *document)
{
	size_t flags = JSON_INDENT(2) | (isatty(STDOUT_FILENO) ? JSON_ENSURE_ASCII : 0);
	int r = document ? json_dumpf(document, stdout, flags) : -1;

	json_decref(document);
	if (r < 0)
		return ferror(stdout) ? -EIO : -ENOMEM;
	return putchar('\n') == EOF ? -EIO : 0;
}
