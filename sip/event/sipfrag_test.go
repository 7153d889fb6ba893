package event

import "testing"

// RFC 3515 §2.4.5: "the body MUST begin with a SIP Response Status-Line".
func TestFragment(t *testing.T) {
	if got := string(Fragment(180, "Ringing")); got != "SIP/2.0 180 Ringing\r\n" {
		t.Errorf("%q", got)
	}
}
