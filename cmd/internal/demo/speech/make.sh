#!/bin/sh
# Makes the placeholder speech of the demo's three phones again: different words
# in different voices, almost without pauses, so that it can be proved by
# correlation who heard whom. Needs espeak-ng and sox:
#   apt-get install -y espeak-ng sox
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# say NAME VARIANT PITCH SPEED TEXT: NAME.wav at 8 kHz, mono, 16 bit, 7 s, mean
# level -20 dBFS; pauses are cut down to 80 ms.
say() {
	espeak-ng -v "cmn-latn-pinyin+$2" -p "$3" -s "$4" -w "$tmp/raw.wav" "$5"
	sox -R "$tmp/raw.wav" -r 8000 -c 1 -b 32 "$tmp/even.wav" \
		gain -6 highpass 150 compand 0.002,0.08 6:-60,-60,-40,-30,-20,-20,0,-14 0 -90 0.002 \
		silence -l 1 0.01 0.3% -1 0.08 0.3% trim 0 7
	rms=$(sox "$tmp/even.wav" -n stat 2>&1 | awk '/RMS +amplitude/ {print $3}')
	gain=$(awk "BEGIN {print -20 - 20 * log($rms) / log(10)}")
	sox -R -D "$tmp/even.wav" -b 16 "$1.wav" gain "$gain"
}

say caller f5 60 170 我家楼下的餐馆每天晚上都把音响开得很大,已经吵了半个多月了,老人和孩子都睡不着觉,请你们派人来看一看,我住在中山路二十八号。
say desk110 m3 30 185 您好,这里是一一零报警服务台,请您慢慢说,事情发生在什么地方,现场有没有人受伤,您的位置我已经看到了,请保持电话畅通。
say desk12345 f2 85 155 您好,这里是市民服务热线,我是五号接线员,很高兴为您服务,您反映的噪声问题由城市管理部门处理,我马上为您登记并转办。
