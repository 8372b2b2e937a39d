/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * The text of one element of an XML document, without a copy of any other. What STS answers is elements, text and a namespace;
 * more of XML than that (document types, entities of one's own, CDATA) is refused.
 */
#ifndef SLUICE_XML_PICK_H
#define SLUICE_XML_PICK_H

#include "user/util.h"

#define XML_PICK_DEPTH 16

/* `path`: names of elements from the root on, ended by NULL; prefixes do not count. -ENOENT: there is none; -EINVAL: the text is
 * no such document, or the element holds others, stands there twice or holds a control character; -E2BIG: it does not fit. */
int xml_pick(const char *text, size_t n, const char *const *path, char *ret, size_t room);

#endif
