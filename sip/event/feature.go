package event

import (
	"bytes"
	"encoding/xml"
	"io"
	"strconv"
	"strings"
)

// FeatureEvent is the Content-Type of a [DoNotDisturb], of the event package as-feature-event: BroadSoft's, by which
// the do-not-disturb key of a phone and the switch agree. No RFC has it; the documents are those of ECMA-323.
const FeatureEvent = "application/x-as-feature-event+xml"

// csta is their namespace.
const csta = "http://www.ecma-international.org/standards/ecma-323/csta/ed3"

// DoNotDisturb is whether a phone's user wants no calls.
type DoNotDisturb struct {
	Device string
	On     bool
}

// XML writes the event that tells a phone (ECMA-323 §15.2.9).
func (d DoNotDisturb) XML() []byte { return d.write("DoNotDisturbEvent") }

func (d DoNotDisturb) write(root string) []byte {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n<" + root + ` xmlns="` + csta + `"` + ">\n<device>")
	escape(&b, d.Device)
	b.WriteString("</device>\n<doNotDisturbOn>" + strconv.FormatBool(d.On) + "</doNotDisturbOn>\n</" + root + ">\n")
	return []byte(b.String())
}

// maxFeature bounds what is read of a phone.
const maxFeature = 4096

// ReadDoNotDisturb reads what a phone asks for, SetDoNotDisturb (ECMA-323 §15.1.9); false: it asks for nothing of the
// kind. Phones differ in the encoding that they name, and write ASCII.
func ReadDoNotDisturb(body []byte) (d DoNotDisturb, ok bool) {
	if len(body) == 0 || len(body) > maxFeature {
		return d, false
	}
	var doc struct {
		XMLName xml.Name
		Device  string `xml:"device"`
		On      string `xml:"doNotDisturbOn"`
	}
	read := xml.NewDecoder(bytes.NewReader(body))
	read.CharsetReader = func(_ string, in io.Reader) (io.Reader, error) { return in, nil }
	if err := read.Decode(&doc); err != nil || doc.XMLName.Local != "SetDoNotDisturb" {
		return d, false
	}
	on, err := strconv.ParseBool(strings.TrimSpace(doc.On))
	return DoNotDisturb{strings.TrimSpace(doc.Device), on}, err == nil
}
