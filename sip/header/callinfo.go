package header

// CallInfo is something more about a call: RFC 3261 §20.9. Call and incident
// ids have the purposes emergency-CallId and emergency-IncidentId.
type CallInfo struct {
	URI     string // as written
	Purpose string
}

func (c CallInfo) String() string {
	return "<" + c.URI + ">" + Params{{Key: "purpose", Value: c.Purpose, HasValue: true}}.String()
}
