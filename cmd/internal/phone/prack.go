package phone

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// reliable is RFC 3262 from both sides. Owned by the loop.
type reliable struct {
	seen    uint32   // highest RSeq acknowledged, as caller
	next    uint32   // our RSeq, as callee
	pending *Message // our provisional that waits for its PRACK
	again   *timer
	then    func() // waits for the PRACK
}

// needsPrack gives the PRACK that a provisional response wants; fresh is false for a repeat.
func (c *Call) needsPrack(res *Message) (prack *Message, fresh bool) {
	rseq, err := strconv.ParseUint(res.Get("RSeq"), 10, 32)
	if err != nil || !strings.Contains(res.Get("Require"), "100rel") {
		return nil, true
	}
	if uint32(rseq) <= c.rack.seen {
		return nil, false
	}
	c.rack.seen = uint32(rseq)
	return c.dialog.request("PRACK", Header{"RAck", fmt.Sprintf("%d %s", rseq, res.Get("CSeq"))}), true
}

// sendReliable sends a provisional response until its PRACK comes (RFC 3262 §3).
func (c *Call) sendReliable(res *Message) {
	c.rack.next++
	res.add("Require", "100rel")
	res.add("RSeq", strconv.Itoa(int(c.rack.next)))
	c.rack.pending = res
	tx, interval, until := c.server, c.phone.cfg.T1, time.Now().Add(64*c.phone.cfg.T1)
	tx.respond(res)
	var again func()
	again = func() {
		if time.Now().After(until) {
			c.refuse(504, "Server Time-out")
			return
		}
		c.phone.send(res, tx.way(), true)
		interval *= 2
		c.rack.again = c.phone.after(interval, again)
	}
	c.rack.again = c.phone.after(interval, again)
}

// pracked answers a PRACK; one that matches nothing gets 481.
func (c *Call) pracked(tx *serverTx) {
	want := ""
	if c.rack.pending != nil {
		want = c.rack.pending.Get("RSeq") + " " + c.rack.pending.Get("CSeq")
	}
	if want == "" || strings.Join(strings.Fields(tx.request.Get("RAck")), " ") != want {
		tx.respond(tx.reply(481, "Call/Transaction Does Not Exist"))
		return
	}
	c.rack.again.stop()
	c.rack.pending = nil
	tx.respond(tx.reply(200, "OK"))
	if then := c.rack.then; then != nil {
		c.rack.then = nil
		then()
	}
}
