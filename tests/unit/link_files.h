/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A folder like /sys/class/net with one device in it. */
#ifndef SLUICE_TESTS_LINK_FILES_H
#define SLUICE_TESTS_LINK_FILES_H

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_FILES "/tmp/sluice-links-XXXXXX"

static void link_file(char *dir, const char *name, const char *uevent)
{
	char path[64];
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(path, sizeof(path), "%s/%s/uevent", dir, name);
	f = fopen(path, "w");
	assert_true(f && fputs(uevent, f) >= 0 && !fclose(f));
}

static void link_files_remove(const char *dir, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s/uevent", dir, name);
	assert_int_equal(unlink(path), 0);
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	assert_int_equal(rmdir(path) || rmdir(dir), 0);
}

#endif
