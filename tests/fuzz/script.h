/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A connection as bytes: packets of an operation, a length of two bytes, and data. */
#ifndef SLUICE_SCRIPT_H
#define SLUICE_SCRIPT_H

enum script_op {
	SCRIPT_OUT = 1,
	SCRIPT_UDP = 2,	   /* counts in the first packet: a socket has one protocol */
	SCRIPT_CUT = 4,	   /* only half of it is kept */
	SCRIPT_BACK = 8,   /* the sequence number goes back by as much again */
	SCRIPT_AHEAD = 16, /* it jumps by the data's first bytes */
	SCRIPT_START = 32, /* it is told that the stream begins here */
};

#endif
