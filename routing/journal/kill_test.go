package journal

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"syscall"
	"testing"
	"time"
)

// TestMain is also the process that is killed while it writes.
func TestMain(m *testing.M) {
	if os.Getenv("JOURNAL_WRITER") != "" {
		write(os.NewFile(3, "journal"), os.Stdout)
		return
	}
	os.Exit(m.Run())
}

// write writes pairs without end and says after each one that it is written.
func write(f *os.File, done io.Writer) {
	j, err := Open(f)
	if err != nil {
		panic(err)
	}
	n := uint64(1)
	if v := values(j, Call)["left"]; v != "" {
		n = binary.LittleEndian.Uint64([]byte(v)) + 1
	}
	rng := rand.New(rand.NewPCG(n, 0))
	for ; ; n++ {
		left := binary.LittleEndian.AppendUint64(nil, n)
		j.Write(Entry{Kind: Call, Key: "left", Value: left},
			Entry{Kind: Letter, Key: "right", Value: append(left, make([]byte, rng.IntN(30000))...)},
			Entry{Kind: Seat, Key: fmt.Sprint(n - 3), Gone: true}, Entry{Kind: Seat, Key: fmt.Sprint(n), Value: left})
		if _, err := done.Write(left); err != nil {
			return
		}
	}
}

// TestKilledWhileItWrites: of what belongs together all is there or nothing, and what was said to be written is there.
func TestKilledWhileItWrites(t *testing.T) {
	kills := 60
	if testing.Short() {
		kills = 15
	}
	f := memory(t, 0)
	rng := rand.New(rand.NewPCG(7, 8))
	last := uint64(0)
	for range kills {
		child := exec.Command(os.Args[0])
		child.Env = append(os.Environ(), "JOURNAL_WRITER=1")
		child.ExtraFiles = []*os.File{f}
		out, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		said := make(chan uint64)
		go func() {
			n, b := uint64(0), make([]byte, 8)
			for {
				if _, err := io.ReadFull(out, b); err != nil {
					said <- n
					return
				}
				n = binary.LittleEndian.Uint64(b)
			}
		}()
		time.Sleep(time.Duration(5+rng.IntN(40)) * time.Millisecond)
		_ = child.Process.Signal(syscall.SIGKILL)
		n := max(<-said, last)
		_ = child.Wait()

		j := opened(t, f)
		left, right := values(j, Call)["left"], values(j, Letter)["right"]
		if n == 0 && left == "" {
			continue // it was killed before it began
		}
		last = binary.LittleEndian.Uint64([]byte(left))
		if right[:8] != left || last < n || last > n+1 {
			t.Fatalf("%d was written, %d and %d are there", n, last, binary.LittleEndian.Uint64([]byte(right)))
		}
		if s := values(j, Seat); len(s) > 3 || s[fmt.Sprint(last)] != left {
			t.Fatalf("seats are %d", len(s))
		}
		if s := j.Stats(); s.Damaged > 0 {
			t.Fatalf("a torn end is no damage: %+v", s)
		}
		_ = j.Close()
	}
	t.Logf("%d kills, %d writes", kills, last)
}
