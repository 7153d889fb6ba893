package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"

	"liandong/cmd/internal/trace"
)

// calledBack prints what has passed in a call.
type calledBack struct {
	Call     string `arg:"" name:"CALL_REF" help:"The call, as calls and the log name it."`
	Messages bool   `help:"Print the whole messages as well."`
	Pcap     string `placeholder:"FILE" help:"Write the messages to a capture file instead, for Wireshark."`
	JSON     bool   `name:"json" help:"Print JSON."`
	asked
}

// Run asks the running switch for the call, which may be over.
func (c calledBack) Run(ctx context.Context, stdout io.Writer) error {
	cfg, sw, err := c.running()
	if err != nil {
		return err
	}
	path := "/v1/calls/" + c.Call + "/trace"
	if c.Pcap != "" {
		file, err := sw.Ask(ctx, http.MethodGet, path+".pcap", nil)
		if err != nil {
			return err
		}
		return os.WriteFile(c.Pcap, file, 0o600)
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
