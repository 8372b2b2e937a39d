#!/bin/sh
# SPDX-License-Identifier: MIT OR GPL-2.0-only
#
# A training job of many processes reads a tagged dataset; its sender uploads to storage in the VPC, which is fine,
# and then to a host outside. Shows what Sluice says of it, beside what the receivers counted, and compares.
# On a terminal it ends in the viewer. The hosts are network namespaces on this machine. All of it is removed at the end, however that comes.

set -u
root=$(cd "$(dirname "$0")/../.." && pwd)
sluice=$root/build/sluice
work=$root/build/work
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
locale=${LC_ALL:-${LC_CTYPE:-${LANG:-C}}}
export LC_ALL=C

# 203.0.113.0/24 is for documentation: no real host has such an address.
job=job_4242
internet_net=203.0.113.200/29 internet_gate=203.0.113.201/29 internet=203.0.113.202
port=8443
workers=4
piped=500009    # by each worker's helper to the sender
leaked=1299709  # by the sender, of what it was given

tmp="" monitor="" helpers="" links="" cgroups="" cgroup_mounted=""

say() { printf "%s\n" "$@"; }
die() { printf 'demo: %s\n' "$*" >&2; exit 1; }

# --- leaving nothing behind ------------------------------------------------

# One that ended and was not waited for yet is still there, as a zombie.
ended() { ! kill -0 "$1" 2>/dev/null || grep -qs '^State:.Z' "/proc/$1/status"; }

# wait_until SECONDS COMMAND...
wait_until() {
	tries=$(($1 * 20))
	shift
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.05
	done
}

end_process() { # PID [PATIENCE]
	kill "$1" 2>/dev/null || return 0
	wait_until "${2:-5}" ended "$1" || kill -KILL "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

clear_up() {
	status=$?
	trap '' INT TERM HUP
	for dir in $cgroups; do
		[ ! -e "$dir/cgroup.procs" ] || while read -r pid; do kill -KILL "$pid" 2>/dev/null; done <"$dir/cgroup.procs"
	done
	[ -z "$monitor" ] || end_process "$monitor" 15
	for pid in $helpers; do
		end_process "$pid"
	done
	for link in $links; do
		ip link del "$link" 2>/dev/null
	done
	for dir in $cgroups; do
		wait_until 5 rmdir "$dir"
	done 2>/dev/null
	[ -z "$cgroup_mounted" ] || umount "$cgroup_mounted"
	[ -z "$tmp" ] || rm -rf "$tmp"
	exit $status
}

# --- the stage -------------------------------------------------------------

# A host is a network namespace, held by a process that dies with this script even if that is killed.
other_namespace() { [ "$(readlink "/proc/$1/ns/net")" != "$(readlink /proc/self/ns/net)" ]; }

new_host() { # sets host
	setpriv --pdeathsig KILL unshare --net sleep 600 >"$tmp/unshare.txt" 2>&1 &
	host=$!
	helpers="$helpers $host"
	wait_until 5 other_namespace "$host" ||
		die "cannot make a network namespace: $(cat "$tmp/unshare.txt"); it needs CAP_SYS_ADMIN and a kernel with CONFIG_NET_NS"
	on_host "$host" ip link set lo up
}

on_host() { pid=$1 && shift && nsenter --net="/proc/$pid/ns/net" -- "$@"; }

join_host() { # HOST LINK OUR-ADDRESS ITS-ADDRESS
	ip link add "$2" type veth peer name eth0 netns "$1" 2>"$tmp/ip.txt" ||
		die "cannot make a veth pair: $(cat "$tmp/ip.txt"); it needs CAP_NET_ADMIN and a kernel with CONFIG_VETH (modprobe veth)"
	links="$links $2"
	{
		ip addr add "$3" dev "$2" && ip link set "$2" up
		on_host "$1" ip addr add "$4" dev eth0 && on_host "$1" ip link set eth0 up
	} 2>"$tmp/ip.txt"
	[ ! -s "$tmp/ip.txt" ] || die "cannot give $2 its address: $(cat "$tmp/ip.txt")"
}

free_net() { # NET: nothing here leads there but the default route
	[ -z "$(ip -4 route show root "$1")" ] && ! ip -4 route show match "$1" | grep -qv '^default'
}

choose_vpc() { # sets vpc_net, vpc
	for n in 213 77 141 9; do
		vpc_net=10.$n.77.0/24 vpc_gate=10.$n.77.1/24 vpc=10.$n.77.2
		! free_net "$vpc_net" || return 0
	done
	die "10.213.77.0/24 and three more are in use here; there is no room for the demonstration's network"
}

make_network() {
	choose_vpc
	free_net $internet_net || die "$internet_net is in use here: is another demonstration running?"
	new_host
	vpc_host=$host
	join_host "$vpc_host" sluicedemo-vpc "$vpc_gate" "$vpc/24"
	new_host
	internet_host=$host
	join_host "$internet_host" sluicedemo-net "$internet_gate" "$internet/29"
}

make_dataset() {
	mkdir "$tmp/patients"
	for size in 100003 150011 200003 250007 300007 350003; do
		head -c $size /dev/urandom >"$tmp/patients/scan-$size.bin" || die "no room in $tmp"
	done
	dataset_bytes=$(cat "$tmp"/patients/* | wc -c)
}

# As Slurm makes it, so that the job has the name a person knows.
make_cgroup() {
	at=$(awk '{ for (i = 7; i < NF; i++) if ($i == "-" && $(i + 1) == "cgroup2") { print $5; exit } }' /proc/self/mountinfo)
	if [ -z "$at" ]; then
		at=$tmp/cgroup
		mkdir "$at"
		mount -t cgroup2 cgroup2 "$at" || die "no cgroup v2 is mounted, and it cannot be"
		cgroup_mounted=$at
	fi
	for part in system.slice slurmstepd.scope $job step_0 user task_0; do
		at=$at/$part
		[ -d "$at" ] && continue
		mkdir "$at" || die "cannot make the cgroup $at"
		cgroups="$at $cgroups"
	done
	task=$at
}

# --- the play --------------------------------------------------------------

answers() { "$sluice" show health --json --socket "$tmp/sock" >/dev/null 2>&1; }
answers_or_ended() { answers || ended "$monitor"; }

start_monitor() {
	cat >"$tmp/sluice.yaml" <<-END
	datasets:
	  - id: patients
	    path: $tmp/patients
	    tags: { DataType: PII }
	network: { vpc: off, vpc_cidrs: [$vpc_net], aws_ranges: off }
	END
	setpriv --pdeathsig TERM "$sluice" run -c "$tmp/sluice.yaml" --socket "$tmp/sock" --events "$tmp/events.jsonl" \
		>"$tmp/monitor.txt" 2>&1 &
	monitor=$!
	wait_until 60 answers_or_ended
	answers && return
	cat "$tmp/monitor.txt" >&2
	ended "$monitor" || die "the monitor does not answer"
	wait "$monitor"
	status=$?
	monitor=
	exit $status
}

receive() { # HOST ADDRESS NAME
	setpriv --pdeathsig KILL nsenter --net="/proc/$1/ns/net" -- "$work/sink" --summary --tcp "$2:$port" >"$tmp/$3.json" &
	receiver=$!
	helpers="$helpers $receiver"
	wait_until 5 grep -qs ready "$tmp/$3.json" || die "the receiver at $2 did not start"
}

run_job() {
	total=$((workers * piped))
	sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$task" "$work/actor" -o "$tmp/job.json" comm:trainer pipe \
		'fork{' comm:sender "read-pipe:$total" \
			"connect@storage:tcp:$vpc:$port" "send@storage:$total" close@storage \
			"connect@out:tcp:$internet:$port" "send@out:$leaked" close@out '}' \
		"fork:$workers{" comm:loader "read:$tmp/patients" 'fork{' comm:augment "write-pipe:$piped" '}' '}' \
		>"$tmp/job.txt" 2>&1 </dev/null || { cat "$tmp/job.txt" >&2; die "the job failed"; }
}

# The figure of one key in a JSON text, however that is laid out.
figure() { tr -d ' \n' | grep -oE "\"$1\":[0-9]+" | cut -d: -f2 | awk '{ n += $1 } END { print n + 0 }'; }

# What is said of the finding of one rule.
of_rule() { # RULE
	"$sluice" show findings --json --socket "$tmp/sock" | tr -d ' \n' | sed 's/"id":"f-/\n&/g' | grep "\"rule\":\"$1\""
}

# Four readers of one dataset hold no more than the dataset, once it has been measured after they read.
measured() { [ "$(of_rule exfil.volume | figure exposed)" -le "$dataset_bytes" ]; }

found() { of_rule exfil.volume >/dev/null; }
# Sums of the flow records so far are totals.
tainted_out() { tr -d ' ' <"$tmp/events.jsonl" | grep '"type":"flow"' | grep "\"addr\":\"$1\"" | figure tainted_out; }
tainted_all() { [ "$(tainted_out $internet)" -ge $leaked ]; }

counted() { # PID NAME
	end_process "$1"
	figure tcp_bytes <"$tmp/$2.json"
}

show() {
	say "" "\$ sluice show $1"
	"$sluice" show "$1" --socket "$tmp/sock"
}

compare() { # bound, tainted and received must be one figure
	say ""
	say "receiver            bytes it counted   what Sluice says"
	printf '%-19s %16s   nothing: it is inside the VPC\n' "$vpc" "$inside"
	printf '%-19s %16s   at most %s tagged bytes left\n' "$internet" "$outside" "$bound"
	[ "$outside" = $leaked ] || die "the receiver counted $outside bytes of $leaked"
	[ "$inside" = $total ] || die "the storage counted $inside bytes of $total"
	[ "$bound" = "$outside" ] || die "the leak bound is $bound, and $outside tagged bytes left"
	[ "$tainted" = "$outside" ] || die "Sluice counted $tainted tainted bytes, the receiver $outside"
	[ "$named" -gt 0 ] || die "the finding does not name the job slurm:4242.0"
	[ "$plain" = "$outside" ] || die "of $outside bytes that left unencrypted $plain are said to have"
	[ "$findings" = 2 ] || die "there are $findings findings where two were due"
}

# What a person on call looks at: the same monitor in the viewer, where there is somebody to look.
open_viewer() {
	[ -t 0 ] && [ -t 1 ] && [ "${TERM:-dumb}" != dumb ] || return 0
	say "" "The viewer opens on this monitor: Enter goes into a row, Esc back, ? helps, q leaves."
	sleep 2
	# with the characters of the person's own terminal
	LC_ALL=$locale "$sluice" top --socket "$tmp/sock" --view findings
}

# --- all of it -------------------------------------------------------------

[ "$(id -u)" = 0 ] || die "must be root"
for need in "$sluice" "$work/actor" "$work/sink"; do
	[ -x "$need" ] || die "$need is not built: run sh scripts/run.sh"
done
trap clear_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
tmp=$(mktemp -d /tmp/sluice-demo.XXXXXX) || die "cannot write to /tmp"

make_dataset
make_network
make_cgroup
start_monitor
receive "$vpc_host" "$vpc" storage
storage=$receiver
receive "$internet_host" $internet outside
outsider=$receiver

say "" "A training job, slurm:4242.0, on data tagged DataType=PII ($dataset_bytes bytes in $tmp/patients):" \
	"  $workers loaders read all of it, their children hand $piped bytes each through a pipe to a sender," \
	"  the sender uploads $((workers * piped)) bytes to storage in the VPC ($vpc), then $leaked to the internet ($internet)."
run_job
wait_until 10 found || { cat "$tmp/monitor.txt" >&2; die "no finding within 10 s"; }
wait_until 10 tainted_all
wait_until 10 measured
show datasets
show findings
bound=$(of_rule exfil.volume | figure leak_bound)
findings=$(of_rule '[^"]*' | wc -l)
plain=$(of_rule egress.plaintext | figure leak_bound)
named=$(of_rule exfil.volume | grep -c 'slurm:4242\.0')
tainted=$(tainted_out $internet)
inside=$(counted "$storage" storage)
outside=$(counted "$outsider" outside)
compare
cat <<END

No process that sent anything ever opened a file: the bytes came by fork and pipe from those that did, and were counted on the way.
Sent inside the VPC they are no finding; outside they are, with a figure that is never below what left and here exactly that, and
so is that they left unencrypted.

To watch your own data, write sluice.yaml:

    datasets:
      - id: mydata
        path: /path/to/your/data
        tags: { DataType: PII }
    network:
      vpc_cidrs: [10.0.0.0/16]

and run, as root:

    build/sluice run -c sluice.yaml
    build/sluice top
END
open_viewer
