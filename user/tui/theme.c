/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Colours of middling lightness, which stand out on black and on white, and which are told apart without red and green:
 * vermilion, amber, blue, purple and bluish green (after Okabe and Ito). The background is the terminal's own but for bars.
 */
#include "user/tui/theme.h"

#include <string.h>

#define VERMILION .rgb = 0xd75f00, .c256 = 166, .c16 = 1
#define AMBER	  .rgb = 0xaf8700, .c256 = 136, .c16 = 3
#define BLUE	  .rgb = 0x0087d7, .c256 = 32, .c16 = 4
#define PURPLE	  .rgb = 0xaf5faf, .c256 = 133, .c16 = 5
#define GREEN	  .rgb = 0x00875f, .c256 = 29, .c16 = 2
#define GREY	  .rgb = 0x808080, .c256 = 244, .c16 = COLOUR_OWN
#define WHITE	  .rgb = 0xffffff, .c256 = 231, .c16 = 7
#define OWN	  .rgb = COLOUR_OWN, .c256 = COLOUR_OWN, .c16 = COLOUR_OWN
#define ON_OWN	  .rgb_back = COLOUR_OWN, .b256 = COLOUR_OWN, .b16 = COLOUR_OWN
#define ON_BLUE	  .rgb_back = 0x005f87, .b256 = 24, .b16 = 4
#define ON_RED	  .rgb_back = 0xaf3a00, .b256 = 130, .b16 = 1
#define ON_AMBER  .rgb_back = 0xd7af00, .b256 = 178, .b16 = 3
#define BLACK	  .rgb = 0x000000, .c256 = 16, .c16 = 0

// clang-format off
const struct theme_style theme[STYLES] = {
	[STYLE_TEXT]     = {OWN, ON_OWN},
	[STYLE_DIM]      = {GREY, ON_OWN, .mono = ATTR_DIM},
	[STYLE_STRONG]   = {OWN, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_NAME]     = {BLUE, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_HEAD]     = {OWN, ON_OWN, .attr = ATTR_BOLD | ATTR_UNDERLINE, .mono = ATTR_UNDERLINE},
	[STYLE_SORTED]   = {BLUE, ON_OWN, .attr = ATTR_BOLD | ATTR_UNDERLINE, .mono = ATTR_BOLD | ATTR_UNDERLINE},
	[STYLE_BAR]      = {GREY, ON_OWN, .mono = 0},
	[STYLE_KEY]      = {OWN, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_TAB]      = {GREY, ON_OWN, .mono = 0},
	[STYLE_TAB_ON]   = {WHITE, ON_BLUE, .attr = ATTR_BOLD, .mono = ATTR_REVERSE},
	[STYLE_SELECTED] = {WHITE, ON_BLUE, .mono = ATTR_REVERSE},
	[STYLE_MARKED]   = {PURPLE, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_FOUND]    = {BLACK, ON_AMBER, .mono = ATTR_REVERSE | ATTR_UNDERLINE},
	[STYLE_TAINT]    = {AMBER, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_OUTSIDE]  = {VERMILION, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_CLOUD]    = {PURPLE, ON_OWN, .mono = 0},
	[STYLE_INSIDE]   = {BLUE, ON_OWN, .mono = 0},
	[STYLE_CRITICAL] = {WHITE, ON_RED, .attr = ATTR_BOLD, .mono = ATTR_REVERSE | ATTR_BOLD},
	[STYLE_HIGH]     = {VERMILION, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_MEDIUM]   = {AMBER, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_LOW]      = {BLUE, ON_OWN, .mono = 0},
	[STYLE_INFO]     = {GREY, ON_OWN, .mono = ATTR_DIM},
	[STYLE_GOOD]     = {GREEN, ON_OWN, .attr = ATTR_BOLD, .mono = 0},
	[STYLE_WARN]     = {AMBER, ON_OWN, .attr = ATTR_BOLD, .mono = ATTR_BOLD},
	[STYLE_BAD]      = {WHITE, ON_RED, .attr = ATTR_BOLD, .mono = ATTR_REVERSE | ATTR_BOLD},
};
// clang-format on

enum style theme_severity(const char *severity)
{
	static const struct {
		const char *word;
		enum style style;
	} severities[] = {
		{"critical", STYLE_CRITICAL}, {"high", STYLE_HIGH}, {"medium", STYLE_MEDIUM},
		{"low", STYLE_LOW},	      {"info", STYLE_INFO},
	};

	for (size_t i = 0; severity && i < ARRAY_SIZE(severities); i++)
		if (!strcmp(severities[i].word, severity))
			return severities[i].style;
	return STYLE_TEXT;
}

enum style theme_class(const char *class)
{
	if (!class)
		return STYLE_TEXT;
	if (!strcmp(class, "internet") || !strcmp(class, "private") || !strcmp(class, "unobservable"))
		return STYLE_OUTSIDE;
	if (!strncmp(class, "aws", 3) || !strcmp(class, "imds") || !strcmp(class, "dns"))
		return STYLE_CLOUD;
	return !strcmp(class, "vpc") || !strcmp(class, "host") ? STYLE_INSIDE : STYLE_TEXT;
}
