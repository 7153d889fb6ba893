package sdp

import (
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

const aesCM = "AES_CM_128_HMAC_SHA1_80"

// The keys of RFC 4568's examples, without their MKI.
const (
	keyA = "WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz"
	keyB = "PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR"
)

func secret(t *testing.T, inline string) string {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(inline)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func secureLocal(p Protection, form Profile) Local {
	l := us
	n := uint64(0)
	l.Protection, l.Profile = p, form
	l.Keys = NewKeys(func() uint64 { n += 0x0102030405060708; return n })
	return l
}

// offerOf is a party's description with an m= line for each profile and crypto lines below.
func offerOf(streams ...string) []byte {
	return []byte("v=0\r\no=jdoe 2890844526 2890842807 IN IP4 10.47.16.5\r\ns=SDP Seminar\r\nc=IN IP4 10.47.16.5\r\nt=0 0\r\n" + strings.Join(streams, ""))
}

func audio(profile string, cryptos ...string) string {
	s := "m=audio 49170 " + profile + " 8 0\r\n"
	for _, c := range cryptos {
		s += "a=crypto:" + c + "\r\n"
	}
	return s
}

// RFC 4568 §5.1.2: the answer has the tag and the suite of the one it takes, in the
// order of the offer, and a key of its own.
func TestAnswerWithKeys(t *testing.T) {
	for _, tt := range []struct {
		what   string
		offer  []byte
		tag    string
		suite  string
		theirs string
	}{
		{"the only one", offerOf(audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyA)), "1", aesCM, keyA},
		{"with a lifetime", offerOf(audio("RTP/SAVP", "7 "+aesCM+" inline:"+keyA+"|2^20")), "7", aesCM, keyA},
		{"with a lifetime in packets", offerOf(audio("RTP/SAVPF", "1 "+aesCM+" inline:"+keyA+"|1048576")), "1", aesCM,
			keyA},
		{"with a hint of the window", offerOf(audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyA+" WSH=128")), "1", aesCM,
			keyA},
		{"behind what nobody has", offerOf(audio("RTP/SAVP", "1 F8_128_HMAC_SHA1_80 inline:"+keyB,
			"2 "+aesCM+" inline:"+keyA)), "2", aesCM, keyA},
		{"behind one with an MKI", offerOf(audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyB+"|2^20|1:4",
			"2 "+aesCM+" inline:"+keyA)), "2", aesCM, keyA},
		{"behind several keys",
			offerOf(audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyB+"|2^20|1:4;inline:"+keyA+"|2^20|2:4",
				"2 "+aesCM+" inline:"+keyA)), "2", aesCM, keyA},
		{"behind one that is not encrypted", offerOf(audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyB+" UNENCRYPTED_SRTP",
			"2 "+aesCM+" inline:"+keyA)), "2", aesCM, keyA},
		{"best effort", offerOf(audio("RTP/AVP", "1 "+aesCM+" inline:"+keyA)), "1", aesCM, keyA},
		{"beside one in the open", offerOf(audio("RTP/AVP"), audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyA)), "1", aesCM,
			keyA},
	} {
		for _, p := range []Protection{Preferred, Required} {
			l := secureLocal(p, Plain)
			answer, s, err := Answer(l, tt.offer)
			if err != nil {
				t.Errorf("%s: %v", tt.what, err)
				continue
			}
			ours, _ := l.key(tt.suite)
			if s.Open != (Crypto{tt.suite, secret(t, tt.theirs)}) || s.Seal != ours {
				t.Errorf("%s: other keys", tt.what)
			}
			want := "a=crypto:" + tt.tag + " " + tt.suite + " inline:" +
				base64.StdEncoding.EncodeToString([]byte(ours.Key)) + "\r\n"
			if strings.Count(string(answer), "a=crypto:") != 1 || !strings.Contains(string(answer), want) {
				t.Errorf("%s: answer\n%s", tt.what, answer)
			}
		}
	}
}

func TestAnswerOfTwoStreamsDeclinesTheOpenOne(t *testing.T) {
	answer, s, err := Answer(secureLocal(Preferred, Plain),
		offerOf(audio("RTP/AVP"), audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyA)))
	if err != nil || !strings.Contains(string(answer), "m=audio 0 RTP/AVP 8 0\r\n") ||
		!strings.Contains(string(answer), " RTP/SAVP 8 0\r\n") {
		t.Errorf("%v\n%s", err, answer)
	}
	if len(s.Streams) != 2 || s.Streams[1] != "" {
		t.Errorf("%q", s.Streams)
	}
}

func TestProtectionPolicy(t *testing.T) {
	good := "1 " + aesCM + " inline:" + keyA
	for _, tt := range []struct {
		what   string
		p      Protection
		offer  []byte
		err    error
		secure bool
	}{
		{"in the open", Off, offerOf(audio("RTP/AVP")), nil, false},
		{"in the open", Preferred, offerOf(audio("RTP/AVP")), nil, false},
		{"in the open", Required, offerOf(audio("RTP/AVP")), ErrProtection, false},
		{"best effort", Off, offerOf(audio("RTP/AVP", good)), nil, false},
		{"secure", Off, offerOf(audio("RTP/SAVP", good)), ErrProtection, false},
		{"both", Off, offerOf(audio("RTP/SAVP", good), audio("RTP/AVP")), nil, false},
		{"secure without a key", Preferred, offerOf(audio("RTP/SAVP")), ErrProtection, false},
		{"secure with a short key", Preferred, offerOf(audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyA[:36])),
			ErrProtection, false},
		{"secure with a bad lifetime", Preferred, offerOf(audio("RTP/SAVP", good+"|2^49")), ErrProtection, false},
		{"a key for the session", Preferred, []byte(strings.Replace(string(offerOf(audio("RTP/SAVP"))), "t=0 0\r\n",
			"t=0 0\r\na=crypto:"+good+"\r\n", 1)), ErrProtection, false},
		{"keys by DTLS", Preferred, offerOf(audio("UDP/TLS/RTP/SAVP")), ErrNoCodec, false},
	} {
		_, s, err := Answer(secureLocal(tt.p, Plain), tt.offer)
		if !errors.Is(err, tt.err) || s.Seal.IsZero() == tt.secure || s.Open.IsZero() == tt.secure {
			t.Errorf("%s, protection %d: %v, secure %v", tt.what, tt.p, err, !s.Seal.IsZero())
		}
	}
	l := secureLocal(Preferred, Plain)
	l.Keys = nil
	if _, _, err := Answer(l, offerOf(audio("RTP/SAVP", good))); !errors.Is(err, ErrProtection) {
		t.Errorf("without keys of ours: %v", err)
	}
}

// Two of us come to the same keys, crosswise; the profile stands in the offer.
func TestOfferWithKeys(t *testing.T) {
	for form, profile := range map[Profile]string{Secure: " RTP/SAVP ", BestEffort: " RTP/AVP "} {
		caller, callee := secureLocal(Preferred, form), secureLocal(Preferred, Plain)
		callee.Keys = NewKeys(func() uint64 { return 42 })
		offer := Offer(caller)
		if !strings.Contains(string(offer), profile) || strings.Count(string(offer), "a=crypto:") != len(suites) {
			t.Errorf("offer\n%s", offer)
		}
		answer, theirs, err := Answer(callee, offer)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := Accept(caller, answer)
		if err != nil || ours.Seal != theirs.Open || ours.Open != theirs.Seal || ours.Seal.IsZero() {
			t.Errorf("%v: keys do not meet", err)
		}
	}
	if offer := Offer(secureLocal(Preferred, Plain)); strings.Contains(string(offer), "crypto") {
		t.Errorf("offer\n%s", offer)
	}
}

// RFC 4568 §5.1.3: tag and suite of the answer are those of the offer.
func TestAnswersToKeys(t *testing.T) {
	for _, tt := range []struct {
		what   string
		p      Protection
		form   Profile
		answer []byte
		err    error
		secure bool
	}{
		{"as it should", Required, Secure, offerOf(audio("RTP/SAVP", "4 "+aesCM+" inline:"+keyB)), nil, true},
		{"another tag", Required, Secure, offerOf(audio("RTP/SAVP", "1 "+aesCM+" inline:"+keyB)), ErrProtection, false},
		{"no key", Required, Secure, offerOf(audio("RTP/SAVP")), ErrProtection, false},
		{"no key", Preferred, Secure, offerOf(audio("RTP/SAVP")), ErrProtection, false},
		{"in the open", Required, Secure, offerOf(audio("RTP/AVP")), ErrProtection, false},
		{"in the open", Preferred, Secure, offerOf(audio("RTP/AVP")), nil, false},
		{"in the open", Preferred, BestEffort, offerOf(audio("RTP/AVP")), nil, false},
		{"with a key", Preferred, BestEffort, offerOf(audio("RTP/AVP", "4 "+aesCM+" inline:"+keyB)), nil, true},
		{"a key unasked", Off, Plain, offerOf(audio("RTP/AVP", "4 "+aesCM+" inline:"+keyB)), nil, false},
		{"secure unasked", Off, Plain, offerOf(audio("RTP/SAVP", "4 "+aesCM+" inline:"+keyB)), ErrProtection, false},
	} {
		s, err := Accept(secureLocal(tt.p, tt.form), tt.answer)
		if !errors.Is(err, tt.err) || s.Seal.IsZero() == tt.secure {
			t.Errorf("%s, protection %d, profile %d: %v, secure %v", tt.what, tt.p, tt.form, err, !s.Seal.IsZero())
		}
	}
}

func TestKeysDoNotShow(t *testing.T) {
	l := secureLocal(Required, Secure)
	c, _ := l.key(aesCM)
	c.Key = "open sesame" + c.Key[11:] // so that no escaping hides it
	s := Session{Seal: c, Open: c}
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "session", s, "key", c)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "session", s, "key", c)
	text := b.String() + fmt.Sprintf("%v %+v %#v", s, s, l)
	for _, shown := range []string{"sesame", c.Key, base64.StdEncoding.EncodeToString([]byte(c.Key)),
		fmt.Sprintf("%q", c.Key)} {
		if strings.Contains(text, strings.Trim(shown, `"`)) {
			t.Error("a key shows:", text)
		}
	}
}
