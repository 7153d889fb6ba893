package event

import (
	"encoding/xml"
	"strings"
	"testing"
)

// What phones write is read, whatever encoding they name, and nothing else is.
func TestReadDoNotDisturb(t *testing.T) {
	const yealink = `<?xml version="1.0" encoding="ISO-8859-1"?>
<SetDoNotDisturb xmlns="http://www.ecma-international.org/standards/ecma-323/csta/ed3">
 <device/>
 <doNotDisturbOn>true</doNotDisturbOn>
</SetDoNotDisturb>`
	for body, want := range map[string]string{
		yealink: "true",
		strings.Replace(yealink, "true", " false ", 1):                          "false",
		"<SetDoNotDisturb><doNotDisturbOn>1</doNotDisturbOn></SetDoNotDisturb>": "true",
		"<SetDoNotDisturb><device>1101</device></SetDoNotDisturb>":              "",
		"<SetForwarding><doNotDisturbOn>true</doNotDisturbOn></SetForwarding>":  "",
		"": "", "<SetDoNotDisturb>": "", "no xml": "", yealink + strings.Repeat(" ", 8192): "",
	} {
		d, ok := ReadDoNotDisturb([]byte(body))
		if ok != (want != "") || ok && (want == "true") != d.On {
			t.Errorf("%.60q: %+v %t, want %q", body, d, ok, want)
		}
	}
}

func TestDoNotDisturbXML(t *testing.T) {
	var doc struct {
		XMLName xml.Name `xml:"http://www.ecma-international.org/standards/ecma-323/csta/ed3 DoNotDisturbEvent"`
		Device  string   `xml:"device"`
		On      bool     `xml:"doNotDisturbOn"`
	}
	if err := xml.Unmarshal(DoNotDisturb{"11<01", true}.XML(), &doc); err != nil || doc.Device != "11<01" || !doc.On {
		t.Errorf("%v %+v", err, doc)
	}
}

func FuzzDoNotDisturb(f *testing.F) {
	f.Add([]byte("<SetDoNotDisturb><device>1101</device><doNotDisturbOn>true</doNotDisturbOn></SetDoNotDisturb>"))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, ok := ReadDoNotDisturb(body)
		if !ok {
			return
		}
		again, ok := ReadDoNotDisturb(d.write("SetDoNotDisturb"))
		if len(d.Device) < 700 && (!ok || again.On != d.On) {
			t.Errorf("%+v comes back as %+v %t", d, again, ok)
		}
	})
}
