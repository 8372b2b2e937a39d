/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Programs that do nothing, one of each kind: the floor under any program on the same hook. */
#define SEC(name) __attribute__((section(name), used)) /* no header: builds anywhere */

SEC("tp_btf/sys_exit")
int empty_tp_btf(void *ctx)
{
	return 0;
}

SEC("fentry/vfs_read")
int empty_fentry(void *ctx)
{
	return 0;
}

SEC("fexit/vfs_read")
int empty_fexit(void *ctx)
{
	return 0;
}

SEC("lsm/file_open")
int empty_lsm(void *ctx)
{
	return 0;
}

char licence[] __attribute__((section("license"))) = "Dual MIT/GPL";
