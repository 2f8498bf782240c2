package requests

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"forebay/protocols/nfs/server"
)

func TestWhatIsKeptIsThereInTheNextLife(t *testing.T) {
	m := new(memory)
	j, l := opened(t, m, fileSize)
	keep(t, j, intent(1), intent(2), outcome(1), intent(3), record(server.Unknown, 3), intent(4), record(server.Void, 4))
	for range 2 { // the second time of what was written anew
		j, l = opened(t, m, fileSize)
		expect(t, "the next life", j.Earlier(), intent(2), outcome(1), record(server.Unknown, 3))
	}
	expect(t, "when they have been handed over", j.Earlier())
	if l.text.Len() > 0 || m.aside != nil {
		t.Errorf("it is told: %s", l.text.String())
	}
}

// The process can be killed in the middle of a write.
func TestARecordThatIsNotWholeEndsTheFile(t *testing.T) {
	m := new(memory)
	j, _ := opened(t, m, fileSize)
	list := []server.Record{intent(0), outcome(0), intent(1), intent(2)}
	ends := []int64{j.mu.end}
	for _, r := range list {
		keep(t, j, r)
		ends = append(ends, j.mu.end)
	}
	whole := bytes.Clone(m.content)
	for n := range len(whole) + 1 {
		m := &memory{content: bytes.Clone(whole[:n])}
		j, l := opened(t, m, fileSize)
		count := 0
		for count < len(list) && int64(n) >= ends[count+1] {
			count++
		}
		got := j.Earlier()
		expect(t, fmt.Sprintf("%d bytes", n), got, useful(list[:count], fileSize)...)
		keep(t, j, intent(9))
		j, _ = opened(t, m, fileSize)
		expect(t, fmt.Sprintf("%d bytes and another record", n), j.Earlier(), append(got, intent(9))...)
		if l.text.Len() > 0 || m.aside != nil {
			t.Errorf("%d bytes: it is told: %s", n, l.text.String())
		}
	}
}

func TestDamageIsSetAsideAndToldAndWhatStandsBeforeItCounts(t *testing.T) {
	m := new(memory)
	j, _ := opened(t, m, fileSize)
	list := []server.Record{intent(1), intent(2), outcome(3)}
	var begins []int
	for _, r := range list {
		begins = append(begins, len(m.content))
		keep(t, j, r)
	}
	whole := bytes.Clone(m.content)
	for at := range whole {
		m := &memory{content: bytes.Clone(whole)}
		m.content[at] ^= 0x10
		damaged := bytes.Clone(m.content)
		j, l := opened(t, m, fileSize)
		before := 0
		for before < len(begins)-1 && at >= begins[before+1] {
			before++
		}
		expect(t, fmt.Sprintf("damage at %d", at), j.Earlier(), list[:before]...)
		if grown := at == begins[2]+3; grown { // the last record seems to be longer than the file
			continue
		}
		if told := l.count("damaged"); told != 1 || !bytes.Equal(m.aside, damaged) {
			t.Errorf("damage at %d: told %d times: %s", at, told, l.text.String())
		}
	}
}

func TestTheFileIsBoundedAndKeepsWhatIsOfUse(t *testing.T) {
	const size = 4096
	m := new(memory)
	j, _ := opened(t, m, size)
	keep(t, j, intent(9001), record(server.Unknown, 9002))
	most := 0
	for i := range 1000 {
		keep(t, j, intent(i), outcome(i))
		most = max(most, len(m.content))
	}
	if most > size+headLength+mostBody || m.rewrites < 10 {
		t.Errorf("%d bytes, written anew %d times", most, m.rewrites)
	}
	j, _ = opened(t, m, size)
	got := j.Earlier()
	expect(t, "without an outcome", got[:2], intent(9001), record(server.Unknown, 9002))
	outcomes := got[2:]
	if len(outcomes) < size/2/200 {
		t.Errorf("%d outcomes", len(outcomes))
	}
	for i, r := range outcomes {
		expect(t, "the newest ones", []server.Record{r}, outcome(1000-len(outcomes)+i))
	}
}

func TestCallsWithoutAnOutcomeAreBounded(t *testing.T) {
	m := new(memory)
	j, _ := opened(t, m, fileSize)
	for i := range mostOpen + 10 {
		keep(t, j, record([]server.Step{server.Intent, server.Unknown}[i%2], i))
	}
	j, _ = opened(t, m, fileSize)
	got := j.Earlier()
	if len(got) != mostOpen || !same(got[:1], []server.Record{intent(10)}) {
		t.Errorf("%d, from %v", len(got), got[0])
	}
}

func TestAMediumThatFailsIsToldOnceAndTriedAgain(t *testing.T) {
	for name, partly := range map[string]bool{"nothing is written": false, "a part is": true} {
		t.Run(name, func(t *testing.T) {
			m := &memory{partly: partly}
			j, l := opened(t, m, fileSize)
			keep(t, j, intent(1))
			later := func(r server.Record, d time.Duration) server.Record {
				r.At = r.At.Add(d)
				return r
			}
			m.full = errFull
			for i := range 5 {
				keep(t, j, later(outcome(100+i), time.Duration(i)*retryAfter))
			}
			m.full = nil
			again := 5 * retryAfter
			keep(t, j, later(outcome(103), again), later(intent(105), again))
			if told := l.count("can't be recorded"); told != 1 || l.count("recorded again") != 1 {
				t.Errorf("told %d times: %s", told, l.text.String())
			}
			j, l = opened(t, m, fileSize)
			expect(t, "what could be kept", j.Earlier(), intent(1), later(intent(105), again))
			keep(t, j, intent(106))
			if j, _ := opened(t, m, fileSize); len(j.Earlier()) != 3 || l.text.Len() > 0 {
				t.Errorf("in the life after that; it is told: %s", l.text.String())
			}
		})
	}
}

func TestAJournalOpensOnAFullDisk(t *testing.T) {
	m := new(memory)
	j, _ := opened(t, m, fileSize)
	keep(t, j, intent(1))
	m.full = errFull
	j, l := opened(t, m, fileSize)
	expect(t, "on the full disk", j.Earlier(), intent(1))
	keep(t, j, intent(2))
	m.full = nil
	keep(t, j, record(server.Intent, 3+int(retryAfter/time.Millisecond)))
	if told := l.count("can't be recorded"); told != 1 {
		t.Errorf("told %d times: %s", told, l.text.String())
	}
	j, _ = opened(t, m, fileSize)
	expect(t, "when there is room again", j.Earlier(), intent(1), record(server.Intent, 3+int(retryAfter/time.Millisecond)))
}

func TestAFileOnTheDisk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "nfs-requests")
	l := new(lines)
	reopen := func() *Journal {
		j, err := Open(path, zerolog.New(l))
		if err != nil {
			t.Fatal(err)
		}
		return j
	}
	killed := reopen()
	keep(t, killed, intent(1), intent(2), outcome(2))
	j := reopen()
	expect(t, "after a kill", j.Earlier(), intent(1), outcome(2))
	keep(t, j, intent(3))
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	keep(t, j, intent(4))
	j = reopen()
	expect(t, "after the end", j.Earlier(), intent(1), outcome(2), intent(3))

	if err := os.WriteFile(path, []byte("something else"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		expect(t, "another's file", reopen().Earlier())
	}
	if aside, err := os.ReadFile(path + ".damaged"); err != nil || string(aside) != "something else" || l.count("damaged:") != 1 {
		t.Errorf("set aside: %q, %v; told: %s", aside, err, l.text.String())
	}
	if err := killed.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Open(filepath.Dir(path), zerolog.Nop()); err == nil {
		t.Error("a folder is opened")
	}
}
