package capture

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
)

func message(callID, ref, text string) Message {
	return Message{At: time.Now(), CallID: callID, Ref: ref, Text: []byte(text)}
}

// What was sent in all dialogs of a call, and told of it, comes in order of time; other calls' is not in it.
func TestOfACall(t *testing.T) {
	r := NewRing(1 << 20)
	at := time.Now()
	put := func(after time.Duration, callID, ref, text string) {
		m := message(callID, ref, text)
		m.At = at.Add(after)
		r.Message(m)
	}
	put(2, "desk", "one", "third")
	put(0, "trunk", "", "first") // before it was known whose it is
	put(1, "trunk", "one", "second")
	put(1, "other", "two", "another's")
	r.Note(Note{At: at.Add(3), Ref: "one", Also: "theirs", Data: []byte("fourth")})
	r.Note(Note{At: at.Add(4), Ref: "theirs", Data: []byte("fifth")})
	for _, ref := range []string{"one", "theirs"} {
		all, lost := r.Of(ref)
		var got []string
		for _, e := range all {
			if e.Message != nil {
				got = append(got, string(e.Message.Text))
			} else {
				got = append(got, string(e.Note.Data))
			}
		}
		if strings.Join(got, " ") != "first second third fourth fifth" || lost != 0 {
			t.Errorf("%s: %q, %d lost", ref, got, lost)
		}
	}
	if all, _ := r.Of("none"); all != nil {
		t.Errorf("of no call: %v", all)
	}
}

// However much comes, the ring is no larger than it may be, and nothing stays of calls whose messages are gone.
func TestRingIsBounded(t *testing.T) {
	const room = 1 << 18
	r := NewRing(room)
	var wg sync.WaitGroup
	for g := range 4 {
		wg.Go(func() {
			for i := range 20_000 {
				ref := fmt.Sprint(g, "-", i/10)
				r.Message(message(ref+"-a", ref, strings.Repeat("x", 700)))
				r.Note(Note{At: time.Now(), Ref: ref, Also: "their " + ref, Data: []byte("{}")})
			}
		})
	}
	wg.Wait()
	s := r.Stats()
	if s.Bytes > room || s.Bytes < room/2 || s.Dropped < 100_000 {
		t.Errorf("%+v", s)
	}
	if n := len(r.dialogs) + len(r.stories) + len(r.ties) + len(r.names); n > 4*room/overhead {
		t.Errorf("%d names are kept for %d bytes", n, s.Bytes)
	}
	n := 0
	for it := r.oldest; it != nil; it = it.next {
		n += it.size()
	}
	if n != s.Bytes {
		t.Errorf("%d bytes are in the list and %d are counted", n, s.Bytes)
	}
}

// One dialog that floods keeps its beginning and its end, and takes nobody else's room.
func TestFloodInADialog(t *testing.T) {
	r := NewRing(1 << 20)
	r.Message(message("quiet", "quiet", "hello"))
	for i := range 10_000 {
		r.Message(message("flood", "flood", fmt.Sprintf("%d %s", i, strings.Repeat("x", 500))))
	}
	all, lost := r.Of("flood")
	if len(all) < 50 || len(all) > 200 || lost != 10_000-len(all) {
		t.Errorf("%d are kept, %d lost", len(all), lost)
	}
	first, last := string(all[0].Message.Text[:2]), string(all[len(all)-1].Message.Text[:4])
	if first != "0 " || last != "9999" {
		t.Errorf("from %q to %q", first, last)
	}
	if quiet, _ := r.Of("quiet"); len(quiet) != 1 {
		t.Error("another call has lost its message")
	}
}

// No secret is in what is kept, however it is spelled; all else stays as it was.
func TestMasked(t *testing.T) {
	const secret = "s3cr3t"
	for _, tt := range []struct{ in, want string }{
		{`Authorization: Digest username="1101", realm="r, s", nonce="n", uri="sip:a@b", response="s3cr3t", cnonce="s3cr3t", qop=auth, nc=00000001`,
			`Authorization: Digest username="1101", realm="r, ***, nonce="n", uri="sip:a@b", response="***", cnonce="***", qop=auth, nc=00000001`},
		{"pRoXy-AuThOrIzAtIoN : Digest response=s3cr3t,algorithm=MD5",
			`pRoXy-AuThOrIzAtIoN : Digest response="***",algorithm=MD5`},
		{"Authorization: Basic s3cr3t==", "Authorization: ***"},
		{"Authorization:\r\n Basic s3cr3t==", "Authorization:\r\n ***"},
		{"Authorization: Digest username=\"1101\",\r\n\tresponse=\"s3cr3t\"\r\nTo: x", "Authorization: Digest username=\"1101\",\r\n\tresponse=\"***\"\r\nTo: x"},
		{`Authentication-Info: rspauth="s3cr3t", qop=auth`, `Authentication-Info: rspauth="***", qop=auth`},
		{"INVITE sip:1101:s3cr3t@host SIP/2.0", "INVITE sip:1101:***@host SIP/2.0"},
		{"Contact: <SIPS:u:s3cr3t@h:5061>, <sip:v@h>", "Contact: <SIPS:u:***@h:5061>, <sip:v@h>"},
		{"Refer-To: <sip:x?Referred-By=sip%3Au%3as3cr3t%40h>", "Refer-To: <sip:x?Referred-By=sip%3Au%3a***%40h>"},
		{"Call-Info: <https://u:s3cr3t@h/p>", "Call-Info: <https://u:***@h/p>"},
		{"From: <sip:1101@host:5060>;tag=1", "From: <sip:1101@host:5060>;tag=1"},
		{"Route: <sip:host:5060;lr>", "Route: <sip:host:5060;lr>"},
		{"Content-Type: application/sdp\r\nl: 60\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:s3cr3t|2^31\r\n",
			"Content-Type: application/sdp\r\nl: 89\r\n\r\nv=0\r\na=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:" +
				MaskedKey + "\r\n"},
		{"Content-Length: 32\r\n\r\nk=clear:s3cr3t\na=key-mgmt:s3cr3t\n", "Content-Length: 21\r\n\r\nk=***\na=key-mgmt:***\n"},
		{"X: y\r\n\r\nv=0\r\nm=audio 1 RTP/AVP 8\r\n", "X: y\r\n\r\nv=0\r\nm=audio 1 RTP/AVP 8\r\n"},
	} {
		got := string(Masked([]byte(tt.in)))
		if strings.Contains(got, secret) {
			t.Errorf("%q shows the secret: %q", tt.in, got)
		}
		if got != tt.want {
			t.Errorf("%q\nis %q\nnot %q", tt.in, got, tt.want)
		}
	}
}

func FuzzMasked(f *testing.F) {
	f.Add([]byte("INVITE sip:a:b@c SIP/2.0\r\nAuthorization: Digest response=\"x\"\r\nContent-Length: 9\r\n\r\na=crypto:1 x inline:y\r\n"))
	f.Add([]byte("Authorization:\r\n\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		before := bytes.Clone(text)
		once := Masked(text)
		if !bytes.Equal(before, text) {
			t.Error("what is sent was changed")
		}
		if twice := Masked(once); len(twice) > len(once)+64 {
			t.Errorf("%q grows to %q", once, twice)
		}
	})
}

const invite = "INVITE sip:110@10.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bK776asdhds;rport\r\n" +
	"Max-Forwards: 70\r\nFrom: <sip:13812345678@10.0.0.2>;tag=1928301774\r\nTo: <sip:110@10.0.0.1>\r\n" +
	"Call-ID: a84b4c76e66710@10.0.0.2\r\nCSeq: 314159 INVITE\r\nContact: <sip:13812345678@10.0.0.2:5060>\r\n" +
	"P-Asserted-Identity: <tel:+8613812345678>\r\nAllow: INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, UPDATE, PRACK\r\n" +
	"Supported: timer, 100rel\r\nContent-Type: application/sdp\r\nContent-Length: 165\r\n\r\n" +
	"v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 40000 RTP/AVP 8 0 101\r\n" +
	"a=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\n"

// What it costs to keep a message, with its secrets masked: beside what sip/ua's BenchmarkUDPCall takes for one.
func BenchmarkKeep(b *testing.B) {
	r := NewRing(64 << 20)
	text := []byte(invite)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		r.Message(Message{At: time.Now(), CallID: refs[i%len(refs)], Ref: refs[i%len(refs)], Text: Masked(text)})
	}
}

var refs = func() (all []string) {
	for i := range 1000 {
		all = append(all, fmt.Sprint("call ", i))
	}
	return all
}()
