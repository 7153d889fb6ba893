package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"time"

	"liandong/cmd/internal/cli"
	"liandong/cmd/internal/remote"
	"liandong/cmd/internal/trace"
)

// calledBack prints what has passed in a call.
type calledBack struct {
	Call     string `arg:"" name:"CALL_REF" help:"The call, as calls and the log name it."`
	Messages bool   `help:"Print the whole messages as well."`
	Pcap     string `placeholder:"FILE" help:"Write the messages to a capture file instead, for Wireshark."`
	RTP      bool   `name:"rtp" help:"With --pcap: keep the headers of the call's RTP packets from now on, and have those of 10 s in the file."`
	JSON     bool   `name:"json" help:"Print JSON."`
	asked
}

// listening is how long packets are waited for.
const listening = 10 * time.Second

// sniff has the headers of a call's RTP packets kept, and gives them time to come.
func sniff(ctx context.Context, sw remote.Switch, ref string) error {
	if _, err := sw.Ask(ctx, http.MethodPost, "/v1/calls/"+ref+"/rtp", nil); err != nil {
		return err
	}
	select {
	case <-time.After(listening):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Run asks the running switch for the call, which may be over.
func (c calledBack) Run(ctx context.Context, stdout io.Writer) error {
	cfg, sw, err := c.running()
	if err != nil {
		return err
	}
	path := "/v1/calls/" + c.Call + "/trace"
	if c.RTP {
		if c.Pcap == "" {
			return cli.Misuse(say(cfg.Lang, "trace: --rtp 写入文件：请同时给出 --pcap FILE",
				"trace: --rtp is for a file: give --pcap FILE as well"))
		}
		if err := sniff(ctx, sw, c.Call); err != nil {
			return err
		}
	}
	if c.Pcap != "" {
		opened := false
		err := sw.Fetch(ctx, path+".pcap", func() (io.WriteCloser, error) {
			opened = true
			return os.OpenFile(c.Pcap, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
		})
		if info, has := os.Stat(c.Pcap); err != nil && opened && has == nil && info.Mode().IsRegular() {
			_ = os.Remove(c.Pcap) // half of one
		}
		return err
	}
	text, err := sw.Ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	if c.JSON {
		_, err = stdout.Write(text)
		return err
	}
	var l trace.Ladder
	if err := json.Unmarshal(text, &l); err != nil {
		return err
	}
	return trace.Text(stdout, l, cfg.Lang, c.Messages)
}
