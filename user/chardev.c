/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/chardev.h"

#include <bpf/bpf.h>
#include <string.h>

#include "user/map_call.h"

#define LINES_MAX 1024
#define MISC_MAJOR 10
#define MINOR_BITS 20
#define DEVICES_MAX 64 /* ways out that are known at once */

/* Drivers by the name they registered. */
static const struct {
	const char *name;
	bool misc;
	uint32_t kind;
} drivers[] = {
	{"tun", true, CHANNEL_TUN},
	{"tap", false, CHANNEL_TUN},
	{"macvtap", false, CHANNEL_TUN},
	{"ipvtap", false, CHANNEL_TUN},
	{"infiniband_verbs", false, CHANNEL_RDMA},
	{"infiniband_mad", false, CHANNEL_RDMA},
	{"rdma_cm", true, CHANNEL_RDMA},
	{"nvme", false, CHANNEL_NVME},
	{"nvme-generic", false, CHANNEL_NVME},
	{"nvme-fabrics", true, CHANNEL_NVME},
	{"vhost-net", true, CHANNEL_VHOST},
	{"vhost-vsock", true, CHANNEL_VHOST},
	{"vhost-vdpa", false, CHANNEL_VHOST},
	{"nvidia", false, SL_ACCELERATOR},
	{"nvidia-frontend", false, SL_ACCELERATOR}, /* NVIDIA's driver before 550 */
	{"nvidiactl", false, SL_ACCELERATOR},
	{"nvidia-uvm", false, SL_ACCELERATOR},
	{"neuron", false, SL_ACCELERATOR},
	{"kfd", false, SL_ACCELERATOR},
	{"accel", false, SL_ACCELERATOR},
	{"habanalabs", false, SL_ACCELERATOR},
};

static bool driver_kind(const char *name, bool misc, uint32_t *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(drivers); i++) {
		if (drivers[i].misc == misc && !strcmp(drivers[i].name, name)) {
			*ret = drivers[i].kind;
			return true;
		}
	}
	return false;
}

void chardev_parse(FILE *f, bool misc, struct chardev *ret, size_t room, size_t *n)
{
	char line[256], name[128];

	for (unsigned i = 0; i < LINES_MAX && *n < room && fgets(line, sizeof(line), f); i++) {
		unsigned number;
		uint32_t kind;

		if (!misc && !strncmp(line, "Block", 5))
			return;
		if (sscanf(line, "%7u %127s", &number, name) != 2 || number >= 1U << (misc ? MINOR_BITS : 12) ||
		    !driver_kind(name, misc, &kind))
			continue;
		ret[(*n)++] = (struct chardev){
			misc ? MISC_MAJOR << MINOR_BITS | number : number << MINOR_BITS | CHARDEV_ANY_MINOR, kind};
	}
}

static void parse_file(const char *path, bool misc, struct chardev *ret, size_t room, size_t *n)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");

	if (f)
		chardev_parse(f, misc, ret, room, n);
}

static bool listed(const struct chardev *all, size_t n, uint32_t device)
{
	for (size_t i = 0; i < n; i++) {
		if (all[i].device == device)
			return true;
	}
	return false;
}

int chardev_refresh(const struct engine *e)
{
	int fd = engine_map_fd(e, MAP_CHAR_DEVICES);
	struct chardev now[DEVICES_MAX];
	uint32_t key, gone[DEVICES_MAX], *at = NULL;
	size_t n = 0, ngone = 0;

	parse_file("/proc/devices", false, now, DEVICES_MAX, &n);
	parse_file("/proc/misc", true, now, DEVICES_MAX, &n);
	for (size_t i = 0; i < n; i++) {
		if (map_update(fd, &now[i].device, &now[i].kind, BPF_ANY))
			return -errno;
	}
	for (; ngone < DEVICES_MAX && !bpf_map_get_next_key(fd, at, &key); at = &key) {
		if (!listed(now, n, key))
			gone[ngone++] = key;
	}
	for (size_t i = 0; i < ngone; i++)
		map_delete(fd, &gone[i]);
	return 0;
}

/* --- names --------------------------------------------------------------------------- */

static const struct {
	uint32_t number;
	const char *name;
} families[] = {
	{3, "AF_AX25"},	   {4, "AF_IPX"},      {5, "AF_APPLETALK"}, {6, "AF_NETROM"},	  {8, "AF_ATMPVC"},
	{9, "AF_X25"},	   {11, "AF_ROSE"},    {19, "AF_ECONET"},   {20, "AF_ATMSVC"},	  {21, "AF_RDS"},
	{24, "AF_PPPOX"},  {26, "AF_LLC"},     {27, "AF_IB"},	    {28, "AF_MPLS"},	  {29, "AF_CAN"},
	{30, "AF_TIPC"},   {31, "AF_BLUETOOTH"}, {32, "AF_IUCV"},   {33, "AF_RXRPC"},	  {34, "AF_ISDN"},
	{35, "AF_PHONET"}, {36, "AF_IEEE802154"}, {37, "AF_CAIF"},  {39, "AF_NFC"},	  {41, "AF_KCM"},
	{42, "AF_QIPCRTR"}, {43, "AF_SMC"},    {45, "AF_MCTP"},
};

static const char *core_text(const char *pattern)
{
	return *pattern == '|' ? "core dump to a helper program"
	       : *pattern == '@' ? "core dump to a socket" /* coredump server, 6.16 */
	       : *pattern	 ? "core dump to a file"
				 : "core dump";
}

static char *socket_name(char buf[static CHANNEL_NAME_LEN], uint32_t family)
{
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		if (families[i].number == family) {
			snprintf(buf, CHANNEL_NAME_LEN, "%s socket", families[i].name);
			return buf;
		}
	}
	snprintf(buf, CHANNEL_NAME_LEN, "socket of family %u", family);
	return buf;
}

char *channel_name(char buf[static CHANNEL_NAME_LEN], uint32_t kind, uint32_t number, const char *core_pattern)
{
	static const char *const name[CHANNEL_KINDS] = {
		[CHANNEL_PACKET] = "AF_PACKET socket",	     [CHANNEL_XDP] = "AF_XDP socket",
		[CHANNEL_VSOCK] = "AF_VSOCK socket",	     [CHANNEL_TUN] = "TUN device",
		[CHANNEL_RDMA] = "RDMA verbs device",	     [CHANNEL_NVME] = "NVMe passthrough device",
		[CHANNEL_VHOST] = "vhost device",	     [CHANNEL_URING] = "io_uring without completions",
	};

	if (kind == CHANNEL_SOCKET)
		return socket_name(buf, number);
	snprintf(buf, CHANNEL_NAME_LEN, "%s",
		 kind == CHANNEL_CORE			 ? core_text(core_pattern)
		 : kind < CHANNEL_KINDS && name[kind] ? name[kind]
						      : "unknown channel");
	return buf;
}

char *core_pattern_read(char buf[static CORE_PATTERN_LEN])
{
	_cleanup_fclose_ FILE *f = fopen("/proc/sys/kernel/core_pattern", "re");

	if (!f || !fgets(buf, CORE_PATTERN_LEN, f))
		buf[0] = '\0';
	return buf;
}
