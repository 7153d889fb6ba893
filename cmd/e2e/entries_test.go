package e2e

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
)

// readEntries waits until a stream holds n entries, gives them, and fails when it holds more.
func readEntries(t testing.TB, redis, stream string, n int) []map[string]string {
	t.Helper()
	conn, err := net.Dial("tcp", redis)
	must(t, err)
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	r := bufio.NewReader(conn)
	var out []map[string]string
	last := "0"
	for len(out) < n {
		reply := command(t, conn, r, "XREAD", "BLOCK", "15000", "STREAMS", stream, last)
		streams, _ := reply.([]any)
		if len(streams) == 0 {
			t.Fatalf("%s: %d entries, want %d: %v", stream, len(out), n, out)
		}
		for _, e := range streams[0].([]any)[1].([]any) {
			last = e.([]any)[0].(string)
			out = append(out, fieldMap(e.([]any)[1].([]any)))
		}
	}
	if len(out) > n {
		t.Errorf("%s: %d entries, want %d: %v", stream, len(out), n, out)
	}
	return out
}

func fieldMap(list []any) map[string]string {
	m := map[string]string{}
	for i := 0; i+1 < len(list); i += 2 {
		m[list[i].(string)] = list[i+1].(string)
	}
	return m
}

// command is one Redis command by hand, so that nothing of the switch's own client takes part.
func command(t testing.TB, w io.Writer, r *bufio.Reader, args ...string) any {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "*%d\r\n", len(args))
	for _, a := range args {
		fmt.Fprintf(&b, "$%d\r\n%s\r\n", len(a), a)
	}
	_, err := io.WriteString(w, b.String())
	must(t, err)
	v, err := readReply(r)
	must(t, err)
	return v
}

// readReply reads one RESP2 value: string, int64, []any or nil.
func readReply(r *bufio.Reader) (any, error) {
	line, err := r.ReadString('\n')
	if err != nil || len(line) < 3 {
		return nil, fmt.Errorf("redis: %q: %w", line, err)
	}
	rest := strings.TrimRight(line[1:], "\r\n")
	n, _ := strconv.Atoi(rest)
	switch line[0] {
	case '+':
		return rest, nil
	case ':':
		return int64(n), nil
	case '$':
		if n < 0 {
			return nil, nil
		}
		buf := make([]byte, n+2)
		_, err := io.ReadFull(r, buf)
		return string(buf[:n]), err
	case '*':
		if n < 0 {
			return nil, nil
		}
		list := make([]any, n)
		for i := range list {
			if list[i], err = readReply(r); err != nil {
				return nil, err
			}
		}
		return list, nil
	}
	return nil, fmt.Errorf("redis: %s", rest)
}

// entriesOnce: of so many matters that were three-way calls each entry is there, and none twice.
func (l *lab) entriesOnce(t *testing.T, matters int) {
	t.Helper()
	events := map[string]int{}
	eventually(t, "the entries are there", func() bool {
		clear(events)
		for _, e := range wholeStream(t, l.redis, "liandong:tickets:12345") {
			events[e["event"]]++
		}
		return events["opened"] >= matters && events["answered"] >= matters && events["decided"] >= matters
	})
	for event, n := range events {
		if n != matters {
			t.Errorf("%d times %s", n, event)
		}
	}
}
