package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"

	"liandong/cmd/internal/app"
	"liandong/cmd/internal/keeper"
	"liandong/cmd/internal/remote"
	"liandong/media/record"
	"liandong/routing/outbox"
	"liandong/routing/spool"
)

// reasons are what people meet when a command cannot do its work, in Chinese. The rest of an error, where it was met,
// is keys of the config, addresses and paths.
var reasons = []struct {
	err     error
	chinese string
}{
	{keeper.ErrNoSwitch, "控制套接字无应答，交换机没有运行"},
	{remote.ErrNoHTTP, "配置中没有 http.listen，无法询问交换机"},
	{remote.ErrLarge, "交换机的应答超过 16 MB，请缩小询问范围"},
	{context.DeadlineExceeded, "等待过久，没有应答"},
	{outbox.ErrBusy, "文件正被另一进程使用"},
	{record.ErrInUse, "目录正被另一进程使用"},
	{spool.ErrBusy, "另一进程已在做这项工作"},
	{syscall.EADDRINUSE, "端口已被别的程序占用"},
	{syscall.EADDRNOTAVAIL, "不是本机的地址"},
	{syscall.EACCES, "没有权限"},
	{syscall.EPERM, "不被允许"},
	{syscall.ENOENT, "没有这个文件或目录"},
	{syscall.ENOTDIR, "不是目录"},
	{syscall.EISDIR, "是目录"},
	{syscall.EEXIST, "已经存在"},
	{syscall.EROFS, "文件系统只读"},
	{syscall.ENOSPC, "磁盘已满"},
	{syscall.EMFILE, "打开的文件过多"},
	{syscall.ECONNREFUSED, "那里没有程序在监听"},
	{syscall.ECONNRESET, "连接被对方断开"},
}

// phrases are what the parts say of themselves in their errors, and what the keeper says of an upgrade, in Chinese.
var phrases = strings.NewReplacer(
	"no RTP port on", "打不开 RTP 端口", "which must be an address of this machine", "应为本机的地址",
	"belongs to another user", "属于另一用户", "not a directory", "不是目录", "is not a file", "不是文件",
	"neither is an address of this machine", "其中没有本机的地址",
	"without a journal no other machine can go on with the calls", "没有通话日志，另一台机器无法接续通话",
	"the other machine could not go on with the calls", "另一台机器目前不能接续通话",
	"this machine does not carry the calls", "本机不承载通话",
	"another switch goes on with these calls", "这些通话由另一交换机承载",
	"the switch is stopping", "交换机正在停止", "the switch is just starting", "交换机正在启动",
	"another upgrade is under way", "另一次升级正在进行", "not ready after", "未就绪，已等待",
	"the worker has died meanwhile", "其间工作进程已死亡", "its self-test does not end", "自测迟迟不结束",
	"its self-test fails", "自测失败", "it ended by itself", "自行结束", "exit status", "退出码", "signal:", "信号",
)

// plainly says what people are to look at when nothing answers where the config says that Redis or the switch is. Of
// all else the reason is said in their language.
func plainly(err error, lang string) string {
	if taken, ok := errors.AsType[*app.Taken](err); ok {
		process := ""
		if taken.PID != 0 {
			process = fmt.Sprintf(both(lang, "（进程 %d）", " (process %d)"), taken.PID)
		}
		return fmt.Sprintf(both(lang,
			"已有交换机在用 %s%s。请先停止它；要同时运行两台，各用自己的 run_dir 和 outbox.path",
			"another switch runs with %s%s. Stop it first, or give each its own run_dir and outbox.path"),
			taken.Dir, process)
	}
	dial, ok := errors.AsType[*net.OpError](err)
	switch {
	case !ok || dial.Op != "dial" || dial.Addr == nil:
		return reason(err, lang)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf(both(lang, "连不上 %[1]v：那里没有程序在监听。是否已启动？配置中的地址是否正确？",
			"nothing listens at %[1]v: has it been started, and is it the address that the config says?"), dial.Addr)
	}
	return fmt.Sprintf(both(lang, "连不上 %[1]v：%[2]v", "%[1]v cannot be reached: %[2]v"), dial.Addr,
		reason(dial.Err, lang))
}

// reason is an error with what it comes from in a language.
func reason(err error, lang string) string {
	text := err.Error()
	if lang != "zh" {
		return text
	}
	for _, r := range reasons {
		if errors.Is(err, r.err) {
			text = strings.ReplaceAll(text, r.err.Error(), r.chinese)
		}
	}
	return phrases.Replace(text)
}
