package ua

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"liandong/sip/header"
	"liandong/sip/leg"
)

func seeds(f *testing.F) {
	for _, folder := range []string{"rfc4475", "rfc5118"} {
		files, _ := filepath.Glob(filepath.Join(testdata, folder, "*"))
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil {
				f.Add(b)
			}
		}
	}
	f.Add([]byte("INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP h;rport\r\nf: <sip:1101@x>;tag=1\r\nt: sip:c\r\ni: 1\r\nCSeq: 1 INVITE\r\n\r\n"))
	f.Add([]byte("REGISTER sip:b SIP/2.0\r\nv: SIP/2.0/UDP h\r\nf: <sip:1101@x>;tag=1\r\nt: <sip:1101@x>\r\ni: 1\r\nCSeq: 1 REGISTER\r\n" +
		"m: *\r\nAuthorization: Digest username=\"1101\", nonce=\"\", uri=\"sip:b\", response=\"\"\r\n\r\n"))
}

// FuzzDatagram feeds the entry point of both transports, as the trunk and as a
// stranger: it must not panic.
func FuzzDatagram(f *testing.F) {
	seeds(f)
	cfg := labConfig()
	u, err := New(cfg, newInbox(), slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		f.Fatal(err)
	}
	hosts := []string{trunkHost + ":5060", "127.0.0.1:5060"}
	f.Fuzz(func(t *testing.T, data []byte) {
		u.handler = newInbox()
		u.owners = map[string][]*owner{}
		for _, host := range hosts {
			u.receive(arrival{data: data}, leg.Flow{Network: "lab", Transport: "udp",
				Remote: netip.MustParseAddrPort(host)}, nil)
		}
		if n := u.counts.panics.Load(); n != 0 {
			t.Fatalf("panic")
		}
	})
}

// FuzzRead: what is understood can be printed and is understood the same; and
// nobody can write lines of his own into an answer.
func FuzzRead(f *testing.F) {
	seeds(f)
	u := &UA{cfg: Config{UserAgent: "x"}}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := read(data)
		if err != nil {
			return
		}
		for _, line := range strings.Split(string(u.render(&m.echo, say(400, "Bad Request"))), "\r\n") {
			if strings.ContainsAny(line, "\r\n") {
				t.Fatalf("line break within %q", line)
			}
		}
		first := m.msg.String()
		if written := string(header.Bytes(m.msg)); written != first {
			t.Fatalf("\n%q\n%q", written, first)
		}
		if m.fault.code != 0 {
			return
		}
		again, err := read([]byte(first))
		if err != nil || again.fault.code != 0 {
			t.Fatalf("%v %s\n%q", err, again.fault.phrase, first)
		}
		if second := again.msg.String(); !strings.EqualFold(first, second) {
			t.Fatalf("\n%q\n%q", first, second)
		}
	})
}

// FuzzFramer: however a stream is cut, its messages are the same.
func FuzzFramer(f *testing.F) {
	f.Add([]byte("A\r\nl: 2\r\n\r\nxy\r\n\r\n\r\nB\r\nContent-Length: 0\r\n\r\n"), 3)
	f.Fuzz(func(t *testing.T, data []byte, step int) {
		whole, errWhole := frames(data, len(data)+1)
		cut, errCut := frames(data, max(1, step))
		if !errors.Is(errCut, errWhole) || !bytes.Equal(bytes.Join(whole, []byte("|")), bytes.Join(cut, []byte("|"))) {
			t.Fatalf("%q %v\n%q %v", whole, errWhole, cut, errCut)
		}
	})
}

func frames(data []byte, step int) (out [][]byte, err error) {
	var f framer
	for len(data) > 0 {
		n := min(step, len(data))
		f.feed(data[:n])
		data = data[n:]
		for {
			msg, ping, err := f.next()
			if errors.Is(err, errMore) {
				break
			}
			if ping {
				continue
			}
			out = append(out, bytes.Clone(msg))
			if err != nil {
				return out, err
			}
		}
	}
	return out, errMore
}
