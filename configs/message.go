package configs

import (
	"fmt"
	"strings"
)

// text is one sentence in both languages, with the same verbs in the same order.
type text struct{ zh, en string }

// message is a text with what it speaks of. An argument may be a message itself; the text of a secret never is one.
type message struct {
	text
	args []any
}

func (t text) of(args ...any) message { return message{t, args} }

// bothLangs is the language of messages while that of the file is not known.
const bothLangs = "both"

func (m message) in(lang string) string {
	if lang == bothLangs {
		return m.in("zh") + " / " + m.in("en")
	}
	format := m.zh
	if lang == "en" {
		format = m.en
	}
	args := make([]any, len(m.args))
	for i, a := range m.args {
		args[i] = a
		switch a := a.(type) {
		case message:
			args[i] = a.in(lang)
		case []string:
			args[i] = listed(a).in(lang)
		}
	}
	return fmt.Sprintf(format, args...)
}

// listed is the choice an admin has, or that there is none yet.
func listed(names []string) message {
	const most = 32
	switch {
	case len(names) == 0:
		return text{"（尚未定义任何一个）", "(none is defined)"}.of()
	case len(names) > most:
		return text{"%s … 共 %d 个", "%s … %d in all"}.of(strings.Join(names[:most], ", "), len(names))
	}
	return text{"%s", "%s"}.of(strings.Join(names, ", "))
}

// Reading the file.
var (
	textUnreadable = text{"无法读取文件：%s", "the file cannot be read: %s"}
	textNotThere   = text{"文件不存在", "there is no such file"}
	textForbidden  = text{"没有读取权限", "permission denied"}
	textNotPlain   = text{"是目录或设备", "it is a directory or a device"}
	textTooLarge   = text{"文件过大，最多 %d 字节", "the file is too large, at most %d bytes"}
	textNotUTF8    = text{"文件不是 UTF-8 编码，请另存为 UTF-8", "the file is not UTF-8; save it as UTF-8"}
	textTooDeep    = text{"嵌套过深，最多 %d 层", "nested too deeply, at most %d levels"}
	textSyntax     = text{"YAML 语法错误：%s", "not valid YAML: %s"}
	textWideMark   = text{"全角 %s 不是 YAML 的符号；请改写为半角 %s", "the full-width %s means nothing to YAML; write %s"}
	textBlank      = text{"字符 %U 看似空格，却不是；请改写为半角空格，或删除",
		"the character %U looks like a space and is none; write a space, or remove it"}
	textWideQuotes = text{"值写在全角引号里，引号会成为值的一部分；请改用半角引号 \"…\"",
		"stands in full-width quotes, which would be part of it; write \"…\""}
	textYAMLTab      = text{"缩进不能用制表符 (Tab)，请用空格", "a tab cannot indent; use spaces"}
	textYAMLReserved = text{"以 @、` 或 %% 开头的值必须加引号", "a value that begins with @, ` or %% must be in quotes"}
	textYAMLEscape   = text{`"…" 之内的 \ 表示转义：请写作 \\，或改用单引号 '…'`,
		`within "…" a \ begins an escape: write \\, or use single quotes, '…'`}
	textYAMLQuote   = text{"引号没有成对", "a quote has no other end"}
	textYAMLBracket = text{"括号 { } 或 [ ] 没有成对，或各项之间缺少逗号",
		"a { } or [ ] has no other end, or a comma is missing between its items"}
	textYAMLList  = text{"列表的“- ”不能写在这里；请与同级的行对齐", "a list item, - , cannot stand here; indent it as its neighbours"}
	textYAMLColon = text{"应为“键: 值”，冒号后有空格，并与同级的行对齐",
		"it must be key: value, with a space after the colon, indented as its neighbours"}
	textYAMLOther = text{"此行或上一行的写法有误", "this line, or the one before, is written wrongly"}
	textFlowEnv   = text{"{ } 或 [ ] 之内的 ${名称} 必须加引号，例如 {password: \"${NAME}\"}",
		"within { } or [ ] a ${NAME} must be in quotes, such as {password: \"${NAME}\"}"}
	textStarKey = text{"以 * 开头的按键代码必须加引号，例如 \"*1\": handover",
		"a key code that begins with * must be in quotes, such as \"*1\": handover"}
	textEmptyFile = text{"文件没有内容；请以 configs/liandong.yaml 为样例",
		"the file says nothing; copy configs/liandong.yaml to begin with"}
	textSecondDoc = text{"文件中只能有一个文档，请删除 --- 之后的内容", "only one document per file; remove what follows ---"}
	textMore      = text{"错误超过 %d 个，其余未列出；这可能不是配置文件",
		"more than %d problems, the rest is left out; this may not be a config"}
	textAnchor = text{"不支持 YAML 锚点、别名、标签和 <<，请把值写全",
		"YAML anchors, aliases, tags and << are not supported; write the value out"}
)

// Shapes and keys.
var (
	textWantGroup   = text{"应为一组键；可用：%s", "must be a group of keys; allowed: %s"}
	textWantTable   = text{"应为“名称: 值”的表；名称：%s", "must be a table of name: value; a name is %s"}
	textWantList    = text{"应为列表 [a, b]；每一项：%s", "must be a list [a, b]; each item is %s"}
	textWantOne     = text{"应为单个值：%s", "must be a single value: %s"}
	textNoValue     = text{"没有值；请填写或删除此键。可填：%s", "has no value; give one or remove the key. Allowed: %s"}
	textUnknownKey  = text{"没有这个键%s；此处可用：%s", "no such key%s; allowed here: %s"}
	textDidYouMean  = text{"，是否为 %q？", ", did you mean %q?"}
	textNothing     = text{"", ""}
	textTwice       = text{"此键重复，第一次出现在第 %d 行；请只保留一处", "given twice, first on line %d; keep one of them"}
	textBadName     = text{"名称 %q 不合规；可用：%s", "the name %q will not do; allowed: %s"}
	textMissing     = text{"缺少此键；应为：%s", "is missing; it must be %s"}
	textBadValue    = text{"%q 不合规；可用：%s", "%q will not do; allowed: %s"}
	textWideValue   = text{"%q 中有全角 %s，请改写为半角 %s；可用：%s", "%q holds a full-width %s, write %s; allowed: %s"}
	textWideName    = text{"名称 %q 中有全角 %s，请改写为半角 %s", "the name %q holds a full-width %s, write %s"}
	textSecretValue = text{"密钥的写法不合规；可用：%s", "the secret will not do; allowed: %s"}
)

// What is allowed, to stand in the sentences above.
var (
	textOneOf    = text{"%s 之一", "one of %s"}
	textBool     = text{"true 或 false", "true or false"}
	textInt      = text{"%s 到 %s 的整数", "a whole number from %s to %s"}
	textDuration = text{"%s 到 %s 的时长，例如 500ms、8s、2m、1h", "a time from %s to %s, such as 500ms, 8s, 2m or 1h"}
	textAddr     = text{"IP 地址，例如 10.1.2.3", "an IP address such as 10.1.2.3"}
	textAddrPort = text{"IP 地址加端口，例如 10.1.2.3:5060，不用主机名",
		"an IP address with a port such as 10.1.2.3:5060, no host name"}
	textPrefix = text{"IP 地址或网段，例如 10.1.2.3 或 10.1.0.0/16",
		"an IP address or a range such as 10.1.2.3 or 10.1.0.0/16"}
	textPorts = text{"端口范围，例如 20000-29999，从小到大，在 1024 到 65535 之间",
		"a range of ports such as 20000-29999, rising, within 1024 to 65535"}
	textSecret = text{"密钥：直接填写、${环境变量}，或改用 *_file", "a secret: as text, as ${ENV}, or by its *_file key"}
	textName   = text{"1 到 32 个小写字母、数字、_ 或 -", "1 to 32 of a-z 0-9 _ -"}
	textID     = text{"1 到 32 个字母、数字、_ 或 -", "1 to 32 of letters, digits, _ and -"}
	textDigits = text{"1 到 4 位数字", "1 to 4 digits"}
	textNumber = text{"号码：2 到 20 位数字、* 或 #，可以 + 开头", "a number: 2 to 20 digits, * or #, perhaps with a leading +"}
	textCalled = text{"号码：2 到 20 位数字、* 或 #，可以 + 开头；或 urn:service:sos 及其下级，例如 urn:service:sos.fire",
		"a number: 2 to 20 digits, * or #, perhaps with a leading +; or urn:service:sos and what is below it, such as urn:service:sos.fire"}
	textRange = text{"号码，或至少 3 位数字加 *，例如 96110、\"0311*\"",
		"a number, or at least 3 digits with a * behind them, such as 96110 or \"0311*\""}
	textArea  = text{"区号，例如 0311 或 10", "an area code such as 0311 or 10"}
	textClock = text{"一天中的时刻，例如 08:00，或 none", "a time of day such as 08:00, or none"}
	textSpan  = text{"一天中的时段，例如 08:30-12:00，从早到晚，最晚 24:00",
		"a part of the day such as 08:30-12:00, rising, up to 24:00"}
	textDates = text{"日期，例如 2026-10-10，或一段 2026-10-01..2026-10-08",
		"a date such as 2026-10-10, or a range 2026-10-01..2026-10-08"}
	textHost     = text{"IP 地址或主机名，不带端口", "an IP address or a host name, without a port"}
	textHostPort = text{"主机:端口，例如 10.1.2.3:5060", "host:port, such as 10.1.2.3:5060"}
	textDomain   = text{"域名，例如 sip.example.cn，不带端口", "a domain such as sip.example.cn, without a port"}
	textService  = text{"1 到 32 个字母、数字、*、#、_ 或 -", "1 to 32 of letters, digits, *, #, _ and -"}
	textVerb     = text{"动作，例如 handover", "a verb such as handover"}
	textRealm    = text{"1 到 64 个可打印 ASCII 字符，不含引号和反斜杠",
		"1 to 64 printable ASCII characters, no quote and no backslash"}
	textZone     = text{"时区，例如 +08:00，或 local（本机时区）", "an offset such as +08:00, or local, this machine's own"}
	textProse    = text{"文字，最多 2000 字", "text, at most 2000 characters"}
	textPath     = text{"文件路径", "the path of a file"}
	textDir      = text{"目录路径", "the path of a directory"}
	textFree     = text{"一行文字，最多 200 字", "one line of text, at most 200 characters"}
	textGroup    = text{"一组键：%s", "a group of keys: %s"}
	textTable    = text{"“名称: 值”的表", "a table of name: value"}
	textItems    = text{"列表，每一项：%s", "a list, each item %s"}
	textNoBound  = text{"不限", "no limit"}
	textEnvUnset = text{"环境变量 %s 未设置；请设置，或写 ${%s:-默认值}",
		"the environment variable %s is not set; set it, or write ${%s:-default}"}
	textEnvSyntax = text{"${ 之后应为环境变量名和 }；字面的 ${ 写作 $${",
		"after ${ comes the name of an environment variable and }; a literal ${ is written $${"}
	textSetSyntax = text{"应为 --set 键路径=值，例如 --set http.listen=127.0.0.1:8080",
		"must be --set key.path=value, such as --set http.listen=127.0.0.1:8080"}
	textSetGroup = text{"这是一组键，请设置其中一个：%s", "is a group of keys, set one of them: %s"}
	textSetTable = text{"这是一张表，请设置其中一项：%s.<名称>，或写成 {名称: …}，{} 为清空",
		"is a table: set one entry of it, %s.<name>, or write {name: …}; {} clears it"}
	textSetItems  = text{"每一项是一组键，请写在文件里", "is a list of groups, write it in the file"}
	textSetBraces = text{"花括号里应为 {键: 值, ...}", "in braces must stand {key: value, ...}"}
	textSetDeeper = text{"是单个值，其下没有键", "is a single value with no keys below it"}
	textBothGiven = text{"%s 与 %s 只能给出一个", "give %s or %s, not both"}
	textFileFault = text{"无法读取 %q：%s；应为 %d KiB 以内的普通文件",
		"%q cannot be read: %s; it must be a plain file of at most %d KiB"}
	textFileEmpty = text{"文件 %q 没有内容；应只含密钥", "the file %q is empty; it must hold the secret and nothing else"}
)

// One part of a file against another.
var (
	textNoNetwork    = text{"至少需要一个网络", "at least one network is needed"}
	textNoCodec      = text{"至少需要一种编码；可用：%s", "at least one codec is needed; allowed: %s"}
	textNoHotline    = text{"至少需要一条热线", "at least one hotline is needed"}
	textNoSuch       = text{"%q 未定义；可用：%s", "%q is not defined; allowed: %s"}
	textWhichNetwork = text{"有多个网络，必须指明；可用：%s", "must be said as there are several networks; allowed: %s"}
	textXDPAlone     = text{"需要同时写 kernel_relay: true", "needs kernel_relay: true beside it"}
	textNoListener   = text{"sip.udp、sip.tcp 和 sip.tls 至少要有一个", "needs sip.udp, sip.tcp or sip.tls"}
	textRedisForgets = text{
		"%s: Redis 没有开启 AOF（appendonly no），一旦中断会丢失最近几分钟的条目；本机按 outbox.keep 保留并补发，请改为 appendonly yes",
		"%s: this Redis has no append-only file (appendonly no): when it ends it loses the entries of its last minutes, which are kept here for outbox.keep and sent again; set appendonly yes"}
	textRedisEvicts = text{"%s: Redis 内存不足时会淘汰数据流，请设 maxmemory-policy noeviction",
		"%s: this Redis may throw away streams when its memory is short; set maxmemory-policy noeviction"}
	textWarning   = text{"警告：%s", "warning: %s"}
	textNeedsCert = text{"sip.tls 需要 cert_file 和 key_file：证书和私钥",
		"sip.tls needs cert_file and key_file, a certificate and its private key"}
	textOnlyTLS   = text{"只用于 TLS；请开启 TLS，或删除此键", "is for TLS only; turn that on, or remove this key"}
	textNoTLSPort = text{"网络 %s 没有 sip.tls；可用：off，或开启 sip.tls",
		"network %s has no sip.tls; allowed: off, or open sip.tls"}
	textKeysOpen = text{"srtp: required 时信令也须加密，否则密钥在途中可见；请加上 %s",
		"srtp: required needs %s beside it, or its keys could be read on their way"}
	textNotOffered = text{"密钥只经 TLS 信令提供 (RFC 4568 §8.3)，此处没有 TLS：本机不会主动提出 SRTP，只应答对方提出的密钥；请开启 TLS，或写 off",
		"keys are offered over TLS only (RFC 4568 §8.3), and there is none here: SRTP is not offered, only answered to who offers keys; turn TLS on, or say off"}
	textCertExpired = text{"证书 %q 已于 %s 过期，话机会拒绝连接；请更新",
		"the certificate in %q has expired on %s and phones will refuse it; renew it"}
	textCertSoon = text{"证书 %q 将于 %s 过期，请及时更新", "the certificate in %q expires on %s; renew it in time"}
	textZeroPort = text{"端口不能为 0；可用：1 到 65535", "the port cannot be 0; allowed: 1 to 65535"}
	textWildcard = text{"监听全部地址时必须给出 %s，以告知对方发往何处",
		"hearing on all addresses needs %s, so that peers know where to send"}
	textOneFamily = text{"与 %s 不是同一地址族；一个网络只用 IPv4 或只用 IPv6",
		"is of another family than %s; a network is IPv4 or IPv6, not both"}
	textSameSocket   = text{"与 %s 使用同一 %s 端口 %s；请换一个", "takes the %[2]s port %[3]s that %[1]s has; choose another"}
	textJitterTurned = text{"min %v 大于 max %v；min 不得大于 max",
		"min %v is more than max %v; it may be as much at the most"}
	textLatchAnybody = text{"latch: allow 须配 allow 网段，否则谁的语音都会被接受",
		"latch: allow needs the network's allow, or anybody's sound would be taken"}
	textFewPorts = text{"端口太少：只有 %d 个；至少 %d 个，每路话用 2 个",
		"too few ports: %d; at least %d, each leg of a call takes 2"}
	textPortsCross = text{"与 %s 的端口 %s 在同一地址上重叠；请错开",
		"overlaps the ports %[2]s of %[1]s on the same address; move one of them"}
	textPortsHit     = text{"端口范围包含 %s 的 UDP 端口 %d；请避开", "holds the UDP port %[2]d of %[1]s; leave it out"}
	textTrunkNowhere = text{"match 和 target（或 targets、srv）至少要有一个：呼入的来源或呼出的去处",
		"needs match (whence it calls), target, targets or srv (where it is called), or both"}
	textOneWay     = text{"target、targets、srv 只能给出一个", "give one of target, targets and srv"}
	textTargetName = text{"是主机名，而网络 %s 有 allow，只按地址放行；请在 match 中写出其地址",
		"is a host name, and network %s has allow and so hears addresses only; give them in match"}
	textNameByTLS = text{"是主机名，而 TLS 中继须按地址辨认：通话中途断线后要重新连接；请在 match 中写出其地址",
		"is a host name, and a trunk by TLS has to be known by address, for a call whose connection is lost makes another; give them in match"}
	textMatchCross = text{"%s 与中继 %s 的 %s 重叠，无法分辨来话；请收窄",
		"%s overlaps %[3]s of trunk %[2]s, so a call could be from either; narrow one of them"}
	textTransportOff = text{"网络 %s 没有开启 sip.%s；可用：%s", "network %s has no sip.%s; allowed: %s"}
	textNeedsOwn     = text{"from 为 own 时需要 own_number：本单位的号码", "from: own needs own_number, the number to show"}
	textNeedsTrust   = text{"只有 trusted: true 的中继才会收到 P-Asserted-Identity (RFC 3325)",
		"P-Asserted-Identity goes to trunks with trusted: true only (RFC 3325)"}
	textWeakPassword = text{"密码太弱：至少 8 个字符，不只是数字，不是常见词、账号或重复的字符",
		"is too weak: at least 8 characters, not digits only, no common word, not the user, not one thing repeated"}
	textWeakToken = text{"令牌太弱：至少 12 个字符，不是常见词或重复的字符，例如 openssl rand -hex 16 的输出",
		"is too weak: at least 12 characters, no common word, not one thing repeated, such as openssl rand -hex 16 gives"}
	textFileOpen    = text{"文件 %q 其他用户可读；请执行 chmod o= %s", "the file %q is readable to others; chmod o= %s"}
	textTwoMachines = text{"应为两台机器各自的固定地址和端口，例如 [\"10.1.0.11:7460\", \"10.1.0.12:7460\"]",
		"must be the fixed address and port of each of two machines, such as [\"10.1.0.11:7460\", \"10.1.0.12:7460\"]"}
	textSameMachine  = text{"两台机器的地址相同", "both machines have the same address"}
	textMachineMoves = text{"是 %s 的地址，随 VRRP 移动；应为机器自己的固定地址",
		"is the address of %s, which VRRP moves; give one that stays with the machine"}
	textMachineAnywhere = text{"应为一台机器的固定地址", "must be the fixed address of one machine"}
	textMovesNowhere    = text{"双机时应为 VRRP 移动的地址，不能监听全部地址",
		"must be the address that VRRP moves between the machines of the cluster, not all of them"}
	textOneCable = text{"与 VRRP 移动的地址似在同一网络：该网络在两台之间中断而话机仍可达时，两台会同时承载；请让副本走另一网络，或设 witness: redis",
		"seems to be in the network of the address that VRRP moves: if that fails between the machines alone, both act; " +
			"give the copy another network, or set witness: redis"}
	textNeedsMachines = text{"须与 cluster.machines 一起给出", "goes with cluster.machines"}
	textShareNameless = text{"须给出 node：不能是默认的 liandong，各台不同",
		"needs node beside it: not liandong, and another on each switch that shares"}
	textClusterSecret = text{"应为两台机器互认的密钥，至少 20 个字符，不是常见词，例如 openssl rand -hex 16 的输出",
		"must be what the machines know each other by: at least 20 characters, no common word, such as openssl rand -hex 16 gives"}
	textNoPartner = text{"没有 partner：一键转接和三方通话无处可去",
		"has no partner: the keys for handover and conference lead nowhere"}
	textTrunkSelf   = text{"%s 是本机自己的 %s：呼叫会回到本机", "%s is the %s of this switch: a call would come back to it"}
	textNeedsUser   = text{"给出密码时也需要 username", "a password needs a username beside it"}
	textNeedsPass   = text{"需要 password 或 password_file", "needs password or password_file"}
	textPlaceholder = text{"是样例里的占位密钥（如 change-me），不能使用；请换成自己的密钥",
		"is the placeholder of an example, such as change-me; give a secret of your own"}
	textSameNumber = text{"号码 %q 已属于热线 %s；一个号码只能属于一条热线",
		"the number %q belongs to hotline %s already; a number leads to one hotline"}
	textMonitorTaken = text{"%q 加上 %s 已是别的号码；请换一个", "%q with %s behind it is another number already; choose another"}
	textNoSeats      = text{"没有坐席也没有中继；请在 phones 中登记话机，或给出 trunk",
		"has neither seats nor a trunk; list a phone for it under phones, or name a trunk"}
	textSeatsTrunk = text{"经中继到达的热线没有自己的坐席；seats 与 trunk 只留一个",
		"a hotline behind a trunk has no seats here; keep seats or trunk"}
	textSeatOther = text{"话机 %q 属于热线 %q；一个坐席只属于一条热线",
		"phone %q belongs to hotline %q; a seat belongs to one hotline"}
	textListTwice   = text{"%q 列了两次", "%q is listed twice"}
	textSeatMissing = text{"没有列入热线 %s 的 seats，不会振铃；请列入，或删除 seats 以包含全部话机；班长的话机列入 supervisors",
		"is not among the seats of hotline %s and would never ring; list it, or remove seats to take every phone; a supervisor's " +
			"is listed under supervisors"}
	textPhoneTrunk    = text{"热线 %q 经中继到达，没有坐席；可用：%s", "hotline %q is behind a trunk and has no seats; allowed: %s"}
	textSelfPartner   = text{"热线不能与自己联动；可用：%s", "a hotline cannot be its own partner; allowed: %s"}
	textSelfOverflow  = text{"不能溢出到自己；可用：%s", "cannot overflow to itself; allowed: %s"}
	textTwoOverflows  = text{"hotline 与 trunk 只能给出一个", "give hotline or trunk, not both"}
	textOverflowPair  = text{"trunk 与 number 必须同时给出", "trunk and number go together"}
	textTransferPair  = text{"trunk 与 numbers 必须同时给出", "trunk and numbers go together"}
	textCallbackTrunk = text{"需要 trunk：回拨所走的中继", "needs trunk: by which citizens are called back"}
	textCallbackDesks = text{"热线经中继到达，没有坐席可以回拨", "the hotline is behind a trunk and has no desks that could call back"}
	textNoTarget      = text{"中继 %q 没有 target、targets 或 srv，无法呼出",
		"trunk %q has no target, targets or srv and cannot be called"}
	textLongSeat = text{"不能比 no_answer（%s）更长", "cannot be longer than no_answer (%s)"}
	textKeyCode  = text{"按键代码应为 2 到 8 个字符：0-9 * # A-D，N 代表任意一位数字",
		"a key code is 2 to 8 of 0-9 * # A-D, where N is any digit"}
	textKeyVerb     = text{"%q 不是动作；可用：%s", "%q is not a verb; allowed: %s"}
	textKeyCategory = text{"N 只能且必须出现在 category 的代码中，例如 \"*8NN\"",
		"N stands in the code of category and in no other, such as \"*8NN\""}
	textServiceOther  = text{"%q 需要分类号，只能用按键；可用：%s", "%q needs a number and is for keys only; allowed: %s"}
	textServiceTaken  = text{"%q 已是热线号码或话机；请换一个", "%q is the number of a hotline or a phone; choose another"}
	textServiceReason = text{"%q 不在 not_ready_reasons 之中；可用：%s", "%q is not among not_ready_reasons; allowed: %s"}
	textKeyCross      = text{"与 %q 冲突：一个是另一个的开头，较长的永远按不出来；请改其中一个",
		"clashes with %q: one begins the other, so that the longer could never be pressed; change one"}
	textCodeTwice = text{"分类 %s 已在前面定义；请只保留一处", "category %s is defined before; keep one of them"}
	textNoDial    = text{"坐席拨不出分类 %s，按键 %s 的位数不同；N 的个数即分类号的位数",
		"no desk can dial category %s, the keys %s take another number of digits: as many as they have N"}
	textNeedsRealm = text{"有话机时必须给出", "is needed where there are phones"}
	textNoClip     = text{"没有名为 %q 的提示音；可用：none, %s", "there is no clip %q; allowed: none, %s"}
	textBadClip    = text{"%q 不能使用：%s；应为单声道 8 或 16 kHz 的 16 位 PCM 或 G.711 WAV",
		"%q cannot be used: %s; it must be a mono WAV, 16-bit PCM at 8 or 16 kHz or G.711"}
	textNotWAV    = text{"不是 WAV 文件", "it is not a WAV file"}
	textWAVFormat = text{"声音格式不对", "its sound format is another one"}
	textNoSound   = text{"没有声音", "there is no sound in it"}
	textLongClip  = text{"超过 10 分钟", "it is longer than 10 minutes"}
	textToneName  = text{"%q 是内部信号音的名称，请换一个", "%q is the name of a built-in tone; choose another"}
	textRedisURL  = text{"应为 redis://[用户:密码@]主机:端口/库号 或 rediss://…，库号为数字；? 之后只用 addr=主机:端口 和 master_name=…",
		"must be redis://[user:password@]host:port/db or rediss://…, db a number; after a ? come only addr=host:port and master_name=…"}
	textWebhookURL = text{"应为 https://主机[:端口]/路径，不带用户和密码；同一台机器上可用 http://",
		"must be https://host[:port]/path, without user or password; on the same machine http:// will do"}
	textWebhookCA = text{"ca_file 只用于 https://；请改 url，或删除 ca_file",
		"ca_file is for https:// only; change url, or remove ca_file"}
	textWebhookOpen = text{"http:// 会在网络上明文传送市民号码；请改用 https://",
		"http:// carries citizens' numbers over the network in the open; use https://"}
	textHEPNetworks = text{"未指定：所有网络的消息（含对方网络的地址）都会送往同一个 Homer",
		"is not said: the messages of all networks, with the addresses of each, go to one Homer"}
	textNeedsSecret = text{"需要 secret 或 secret_file：用来签名，接收方据此核对",
		"needs secret or secret_file: it signs what is sent, so that the receiver knows who sends"}
	textNoTLS = text{"只用于 rediss:// 的 URL；请改 url，或删除此键",
		"is for URLs with rediss://; change the url, or remove this key"}
	textNoCert   = text{"%q 中没有证书；应为 PEM 文件", "there is no certificate in %q; it must be a PEM file"}
	textCertPair = text{"cert_file 与 key_file 必须同时给出", "cert_file and key_file go together"}
	textBadPair  = text{"%q 与 %q 不是一对证书和私钥；应为 PEM 文件",
		"%q and %q are no certificate with its private key; they must be PEM files"}
	textSpoolTrunk = text{"只用于经中继到达的热线；请写 trunk，或删除 spool",
		"is for a hotline that is reached through a trunk; give its trunk, or remove spool"}
	textSpoolNeeds = text{"send、receive、key（或 key_file）三者都要写", "needs send, receive, and key or key_file, all three"}
	textSpoolSame  = text{"send、receive、state 必须是不同的目录，且不与其他热线共用 send 或 receive",
		"send, receive and state must be folders of their own, and send and receive not those of another hotline"}
	textSpoolKey = text{"密钥应为 32 字节，写成 64 位十六进制或 base64；多个以空格隔开",
		"a key must be 32 bytes, 64 hexadecimal digits or base64; several with a space between"}
	textRedisNoURL = text{"缺少 url；请写全本网络的 Redis，或全部省略而用顶层的 redis",
		"needs url; give the whole Redis of this network, or leave it out and have the one at the top"}
	textRedisSame = text{"与另一网络是同一服务器、同一库，但其他项不同；请写得完全一样，或换一个库",
		"is the server and database of another network, with other settings; write both alike, or use another database"}
	textRedisTwice = text{"URL 中已有密码；password 与 URL 中的密码只留一个", "the URL holds a password already; keep one of them"}
	textRecordKey  = text{"不是录音密钥；应为 32 字节：64 位十六进制或 base64，第一个用于加密，其余（以空格隔开）只用于解密",
		"is no recording key; it must be 32 bytes, as 64 hexadecimal digits or in base64: the first seals, further ones, a space between, only open"}
	textNoMode   = text{"没有 mode 就不录音；可用：%s", "is needed, without it nothing is recorded; allowed: %s"}
	textOpenHTTP = text{"对本机之外开放时需要 token（或 token_file）或 access",
		"needs token, token_file or access when it is reachable from other machines"}
	textAllowRole = text{"%s 不带令牌即可操作所有网络的所有热线；请改写在 http.access 中，给出 role 和 hotlines",
		"%s may do everything at the lines of all networks without a token; write it under http.access, with role and hotlines"}
	textConsoleClear = text{"密码和通话信息以明文经过网络；请给出 cert_file 和 key_file",
		"passwords and calls pass in the clear; give cert_file and key_file"}
	textConsoleNobody = text{"需要 http.users：没有人可以登录", "needs http.users: nobody can sign in"}
	textConsoleOff    = text{"没有 http.console.listen，这些用户无处登录",
		"there is no http.console.listen where they could sign in"}
	textUserPassword = text{"需要 password（或 password_file）：liandong passwd 的输出",
		"needs password or password_file: what liandong passwd prints"}
	textUserHash = text{"不是 liandong passwd 输出的口令摘要（$argon2id$v=19$m=…,t=…,p=…$…$…）",
		"is no hash as liandong passwd prints it ($argon2id$v=19$m=…,t=…,p=…$…$…)"}
	textUserLines = text{"只用于 taker、supervisor 和 manager；engineer 和 admin 可见所有热线",
		"is for taker, supervisor and manager only; engineer and admin see all lines"}
	textUserTaker   = text{"只用于 taker 和 supervisor", "is for a taker and a supervisor only"}
	textUserWatches = text{"话机 %s 不在 hotlines 中任何一条热线的 supervisors 里",
		"phone %s is not among the supervisors of any of the lines"}
	textUserSeat     = text{"话机 %s 属于热线 %s，不在 hotlines 之中", "phone %s is of hotline %s, which is not among hotlines"}
	textAccessNobody = text{"需要 token（或 token_file）、from，或两者", "needs token or token_file, from, or both"}
	textAccessLines  = text{"只用于 desk 和 supervisor；admin 可操作所有热线，monitor 不接触通话",
		"is for desk and supervisor only; admin has all lines, monitor none"}
	textCertNoListen = text{"只用于 HTTPS；请写 listen，或删除此键", "is for HTTPS only; give listen, or remove this key"}
	textAllowAll     = text{"%s 允许任何人不带 token 操作；请填写具体网段",
		"%s lets everybody in without a token; name the range that is meant"}
	textBroken        = text{"不能使用：%s", "cannot be used: %s"}
	textOptionsShort  = text{"%s 太短；可用：0s（不询问）或 %s 以上", "%s is too short; allowed: 0s (none are sent) or %s and more"}
	textRegisterShort = text{"%s 太短；可用：0s（不注册）或 %s 以上", "%s is too short; allowed: 0s (not at all) or %s and more"}
	textRegisterNeeds = text{"注册需要同一中继的 %s", "needs %s of the trunk"}
	textKeepShort     = text{"%s 太短；可用：0s（不限）或 1h 以上", "%s is too short; allowed: 0s (for ever) or 1h and more"}
	textHoursCross    = text{"与 %s 重叠或先于它；可用：从早到晚、互不重叠的时段",
		"overlaps %s or comes before it; allowed: parts of the day that rise and do not overlap"}
	textDayBoth = text{"与 holidays 中的 %s 相冲突：一天只能是其中之一",
		"is in holidays too, as %s; allowed: a day is one or the other"}
	textNoCalendar = text{"没有工作时间日历；请加上 matters.calendar，或写 clock",
		"there is no calendar; add matters.calendar, or say clock"}
	textLimitWorked = text{"%s 无法按工作时间计算；可用：%s（一个工作日）以内，整天的 24h、48h…（按工作日），或 counts: clock",
		"%s cannot be counted in working time; allowed: up to %s (the hours of a working day), whole days as 24h, 48h … (working days), or counts: clock"}
	textUrgentSleeps = text{"热线 %s 的时限在下班后停止计算；如其昼夜值守，请写 matters.hotlines.%s.counts: clock",
		"the clocks of %s stand still out of hours; if it works day and night, say matters.hotlines.%s.counts: clock"}
	textMinSE = text{"不能大于 session（%s）", "cannot be longer than session (%s)"}
)
