#!/usr/bin/env bash
# Reads the ticket entries of a hotline, stores each once, and reports it received. Bash and redis-cli 7.
#
# usage: consumer.sh HOST:PORT HOTLINE CONSUMER STORE [CLAIM_MS]
#
# CONSUMER is this process's own name within the group "my-tickets". When it dies, another takes over after CLAIM_MS what
# it was given and has not acknowledged. STORE is a folder with a file per event_id, written whole or not at all.
set -euo pipefail
(($# >= 4)) || { sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 2; }
host=${1%:*} port=${1##*:} stream=liandong:tickets:$2 consumer=$3 store=$4 claim=${5:-60000} group=my-tickets
redis() { redis-cli -h "$host" -p "$port" -e --raw "$@"; }
mkdir -p "$store"
made=$(redis XGROUP CREATE "$stream" "$group" 0 MKSTREAM 2>&1) || [[ $made == *BUSYGROUP* ]] || { echo "$made" >&2; exit 1; }

# field NAME: of the entry that was read last.
field() { printf '%s' "${entry[$1]-}"; }

handle() { # id
	local name at
	declare -gA entry=()
	# Quoted, since a text may hold line breaks: names and values in turn. What is used here has nothing to be unquoted.
	while IFS= read -r name && IFS= read -r value; do entry[$name]=$value; done < <(
		redis-cli -h "$host" -p "$port" -e --no-raw XRANGE "$stream" "$1" "$1" | grep -oE '"(\\.|[^"\\])*"$' | tail -n +2 | sed 's/^"//; s/"$//')
	if [[ -n $(field event_id) ]]; then
		[[ $(field schema) == 1 ]] || { echo "schema $(field schema): this program reads 1" >&2; exit 1; }
		name=$(field event_id)
		if [[ ! -e $store/$name ]]; then # at least once becomes once
			printf '%s %s\n' "$(field stub_id)" "$(field event)" >"$store/.$name.$consumer"
			mv -n "$store/.$name.$consumer" "$store/$name"
		fi
		if [[ $(field event) == opened ]]; then # said twice with one event_id it counts once
			at=$(date --iso-8601=ns)
			redis XADD liandong:updates '*' event_id "received-$name" stub_id "$(field stub_id)" event received at "${at/,/.}" >/dev/null
		fi
	fi
	redis XACK "$stream" "$group" "$1" >/dev/null # only now: what is not acknowledged comes again
}

mine=0 # first what this consumer was given before it was restarted, then what is new
while true; do
	for id in $(redis XAUTOCLAIM "$stream" "$group" "$consumer" "$claim" 0-0 COUNT 10 JUSTID | tail -n +2 | grep -E '^[0-9]+-[0-9]+$' || true); do
		handle "$id"
	done
	got=$(redis XREADGROUP GROUP "$group" "$consumer" COUNT 1 BLOCK 1000 STREAMS "$stream" "$mine")
	id=$(grep -m1 -E '^[0-9]+-[0-9]+$' <<<"$got" || true)
	if [[ -n $id ]]; then handle "$id"; else mine='>'; fi
done
