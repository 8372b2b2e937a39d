/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* libcurl for the whole process: what it frees (headers, what came) is wiped first, since some of that is secret. */
#ifndef SLUICE_CURL_BEGIN_H
#define SLUICE_CURL_BEGIN_H

/* Before anything else of libcurl's, from any thread, as often as one likes. -ENOMEM. */
int curl_begin(void);

#endif
