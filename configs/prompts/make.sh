#!/bin/sh
# Makes the placeholder announcements in zh/ again. Needs espeak-ng and sox:
#   apt-get install -y espeak-ng sox
# The voice that reads Chinese characters right is cmn-latn-pinyin; plain cmn
# spells most of them out as English.
set -eu
cd "$(dirname "$0")"
mkdir -p zh
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# say NAME TEXT: zh/NAME.wav at 8 kHz, mono, 16 bit; peaks pressed down,
# silence at both ends cut off, mean level -20 dBFS.
say() {
	espeak-ng -v cmn-latn-pinyin+f2 -s 175 -p 45 -w "$tmp/raw.wav" "$2"
	sox -R "$tmp/raw.wav" -r 8000 -c 1 -b 32 "$tmp/even.wav" \
		gain -6 highpass 150 compand 0.002,0.08 6:-60,-60,-40,-30,-20,-20,0,-14 0 -90 0.002 \
		silence 1 0.01 0.3% reverse silence 1 0.01 0.3% reverse pad 0.02 0.04
	rms=$(sox "$tmp/even.wav" -n stat 2>&1 | awk '/RMS +amplitude/ {print $3}')
	gain=$(awk "BEGIN {print -20 - 20 * log($rms) / log(10)}")
	sox -R -D "$tmp/even.wav" -b 16 "zh/$1.wav" gain "$gain"
}

say transfer 您好，这个问题不属于接警范围，请不要挂电话，我们帮您转接给相关部门。
say transfer_failed 对方暂时无法接听，请与接线员继续通话。
say keep_waiting 请不要挂断，正在继续为您接通。
say three_way 三方通话已接通。
say party_left 一方已离开通话。
say queue 坐席正忙，请不要挂断，马上为您接通。
say all_busy 现在无人接听，请稍后再拨。
say accepted 已记录。
say refused 该操作现在无法执行。
say urgent 紧急事项已推送一一零。
say recorded 本次通话将被录音。
