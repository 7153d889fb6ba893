package mirror

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"time"

	"liandong/routing/journal"
)

// A frame is
//
//	kind 1 | length of the body 4 | body
//
// and the body of a piece of a cut
//
//	number 8 | flags 1 | length of the sink's name 1 | the journal's time 8 | name | entries
//
// with entries as the journal has them.
// All is little-endian. The last piece of a cut has a flag, which is when all of them count.
type frameKind byte

const (
	frameHello frameKind = 'H'
	frameWord  frameKind = 'W' // a message of those who use the connection
	framePiece frameKind = 'C'
	frameAck   frameKind = 'A' // the number of a cut that is taken in
)

const (
	frameHead  = 5
	pieceHead  = 18
	pieceRoom  = 64 << 10 // bytes of entries, after which a piece ends: words go in between
	longest    = 32 << 20 // bytes of a frame
	largestCut = 1 << 30  // bytes
	flagWhole  = 1
	flagLast   = 2
)

func writeFrame(w io.Writer, k frameKind, body []byte) error {
	head := [frameHead]byte{byte(k)}
	binary.LittleEndian.PutUint32(head[1:], uint32(len(body)))
	if _, err := w.Write(head[:]); err != nil {
		return err
	}
	_, err := w.Write(body)
	return err
}

func readFrame(r *bufio.Reader) (frameKind, []byte, error) {
	var head [frameHead]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return 0, nil, err
	}
	n := binary.LittleEndian.Uint32(head[1:])
	if n > longest {
		return 0, nil, fmt.Errorf("%w: a frame of %d bytes", ErrMessage, n)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(r, body)
	return frameKind(head[0]), body, err
}

// piece is a part of a cut.
type piece struct {
	number      uint64
	whole, last bool
	sink        string
	at          time.Time
	entries     []journal.Entry
}

func (p piece) encode() []byte {
	b := make([]byte, pieceHead, pieceHead+len(p.sink)+pieceRoom)
	binary.LittleEndian.PutUint64(b, p.number)
	if p.whole {
		b[8] |= flagWhole
	}
	if p.last {
		b[8] |= flagLast
	}
	b[9] = byte(len(p.sink))
	if !p.at.IsZero() {
		binary.LittleEndian.PutUint64(b[10:], uint64(p.at.UnixNano()))
	}
	b = append(b, p.sink...)
	for _, e := range p.entries {
		b = e.AppendTo(b)
	}
	return b
}

func decodePiece(b []byte) (p piece, err error) {
	if len(b) < pieceHead || len(b) < pieceHead+int(b[9]) {
		return p, fmt.Errorf("%w: a piece of %d bytes", ErrMessage, len(b))
	}
	p.number = binary.LittleEndian.Uint64(b)
	p.whole, p.last = b[8]&flagWhole != 0, b[8]&flagLast != 0
	if at := binary.LittleEndian.Uint64(b[10:]); at != 0 {
		p.at = time.Unix(0, int64(at))
	}
	p.sink = string(b[pieceHead : pieceHead+int(b[9])])
	for b = b[pieceHead+int(b[9]):]; len(b) > 0; {
		e, n, ok := journal.ReadEntry(b)
		if !ok {
			return p, fmt.Errorf("%w: half an entry", ErrMessage)
		}
		p.entries = append(p.entries, e)
		b = b[n:]
	}
	return p, nil
}

// pieces splits a cut. An entry is never split.
func pieces(number uint64, sink string, c journal.Cut) (list []piece) {
	p := piece{number: number, whole: c.Whole, sink: sink, at: c.At}
	size := 0
	for _, e := range c.Entries {
		if size > 0 && size+len(e.Value) > pieceRoom {
			list = append(list, p)
			p.entries, size = nil, 0
		}
		p.entries = append(p.entries, e)
		size += len(e.Key) + len(e.Value)
	}
	p.last = true
	return append(list, p)
}
