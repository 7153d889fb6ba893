package ua

import (
	"fmt"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
)

// stalled is a call that takes messages as it is let: each waits for a word.
type stalled struct {
	came chan int // the code of a response
	on   chan struct{}
}

func (s stalled) Post(in Inbound) bool {
	s.came <- in.Packet.Msg.(*gosip.Response).StatusCode
	<-s.on
	return true
}

// What has come by UDP lies in the socket until what came before is handled: a process that dies in one message, or
// leaves, takes no other with it. Nobody says a 180 again.
func TestDatagramsLeft(t *testing.T) {
	for _, leaves := range []bool{false, true} {
		t.Run(map[bool]string{false: "dies", true: "leaves"}[leaves], func(t *testing.T) {
			j := newJournal(t)
			old := outlived(t, j, nil)
			call := stalled{make(chan int, 100), make(chan struct{}, 100)}
			t.Cleanup(func() { close(call.on) }) // before the old one is stopped
			old.Bind("call", call)
			trunk := old.udp(trunkHost)
			const first, last = 180, 189
			for code := first; code <= last; code++ {
				trunk.send(fmt.Sprintf("SIP/2.0 %d Ringing\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1\r\n"+
					"From: <sip:a@lab>;tag=1\r\nTo: <sip:b@lab>;tag=2\r\nCall-ID: call\r\nCSeq: 1 INVITE\r\n"+
					"Content-Length: 0\r\n\r\n", code))
				if code == first { // all others lie in the socket when the second is read
					<-call.came
				}
			}
			call.on <- struct{}{}
			if code := <-call.came; code != first+1 {
				t.Fatalf("%d comes", code)
			}
			if leaves {
				left := make(chan struct{})
				go func() {
					old.Leave()
					close(left)
				}()
				eventually(t, "it is about to leave", old.leaving.Load)
				call.on <- struct{}{}
				for more := true; more; {
					select {
					case code := <-call.came:
						t.Errorf("%d is handled by who leaves", code)
						call.on <- struct{}{}
					case <-left:
						more = false
					}
				}
			}
			next := outlived(t, j, nil, "call")
			for code := first + 2; code <= last; code++ {
				if got := next.inbox.next(t).Packet.Msg.(*gosip.Response).StatusCode; got != code {
					t.Fatalf("%d comes in the place of %d", got, code)
				}
			}
		})
	}
}
