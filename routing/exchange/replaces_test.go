package exchange

import (
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"

	gosip "github.com/emiago/sipgo/sip"

	"liandong/sip/leg"
	"liandong/sip/ua"
)

var toTag = regexp.MustCompile(`\r\nTo: [^\r]*;tag=(\w+)`)

// callerDialog is the dialog that the trunk has with us, as the trunk names it.
func (r *rung) callerDialog() string {
	r.t.Helper()
	said, ok := r.wire.find("SIP/2.0 200")
	if !ok {
		r.t.Fatal("the caller is not answered")
	}
	ours := toTag.FindStringSubmatch(said)[1]
	theirs := fromTag.FindStringSubmatch(said)[1]
	return callIDIn.FindStringSubmatch(said)[1] + ";to-tag=" + ours + ";from-tag=" + theirs
}

// acknowledge is the trunk's ACK, without which nobody may say BYE (RFC 3261 §15).
func (r *rung) acknowledge(dialog string) {
	r.t.Helper()
	id, tags, _ := strings.Cut(dialog, ";")
	tag := strings.TrimPrefix(strings.Split(tags, ";")[0], "to-tag=")
	text := invite(r.t, "110").Msg.String()
	text = strings.NewReplacer("INVITE sip:110@", "ACK sip:110@", " INVITE\r\n", " ACK\r\n", "z9hG4bKone",
		"z9hG4bKack").Replace(text)
	text = regexp.MustCompile(`\r\nTo: [^\r]*`).ReplaceAllString(text, "$0;tag="+tag)
	m, err := gosip.ParseMessage([]byte(text))
	if err != nil {
		r.t.Fatal(err)
	}
	sink, _ := r.wire.Sink(id)
	sink.Post(ua.Inbound{Packet: leg.Packet{Msg: m, Flow: leg.Flow{Network: "lab", Transport: "udp",
		Remote: netip.MustParseAddrPort("127.0.0.10:5060")}}})
	synctest.Wait()
}

// RFC 3891 §3: a trunk's INVITE that names a dialog which is not there, or is not that trunk's, is no new call.
func TestTrunkReplaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := ring(t)
		defer r.x.Stop()
		r.wantCode(r.comes(pstn, "13800000000", "110", "Replaces: nosuch@x;to-tag=1;from-tag=2"), 481)
		r.wantCode(r.comes(pstn, "13800000000", "110", "Replaces: nonsense"), 400)
		r.wantCode(r.comes(pstn, "13800000000", "110", "Replaces: a@x;to-tag=1;from-tag=2",
			"Replaces: b@x;to-tag=1;from-tag=2"), 400)
		r.wantCode(r.comes(pstn, "13800000000", "110", "Replaces: "+r.dialog()), 481) // a desk's
		r.answer(200)
		at := r.callerDialog()
		r.acknowledge(at)
		r.wantCode(r.comes(pstn, "13800000000", "110", "Replaces: "+at+";early-only"), 486)
		other := pstn
		other.Trunk = "fire"
		r.wantCode(r.comes(other, "13800000000", "110", "Replaces: "+at), 481)
		r.wantCode(r.comes(pstn, "13800000000", "110", "Join: "+at), 488)
		got := r.comes(pstn, "13800000000", "110", "Replaces: "+at)
		r.wantCode(got, 200)
		if bye, ok := r.wire.find("BYE "); !ok || !strings.Contains(bye, "Call-ID: "+at[:strings.Index(at, ";")]) {
			t.Errorf("the dialog that is replaced goes on: %.60q", bye)
		}
		synctest.Wait()
		if s := r.x.Stats(); s.Live != 1 || s.SeatsBusy != 1 || r.x.Calls()[0].Phase != "talking" {
			t.Errorf("%+v", s)
		}
	})
}
