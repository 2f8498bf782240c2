package nfsmodel

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// stepsKept is how many steps each object remembers.
const stepsKept = 16

// step is one thing that was asked. Its checks note the first thing that is wrong and go on, so that the model always takes in the whole
// answer.
type step struct {
	checker *Checker
	number  int
	client  *client
	text    string
	answer  string
	nodes   []*node
	wrong   *Failure

	connects uint64 // of the client when it began

	offset uint64 // where it wrote data
	data   []byte
}

// Failure is an answer that is not what the model allows.
type Failure struct {
	Seed    uint64
	Step    int
	Object  string
	Wrong   string
	History []string // the last steps of the objects concerned, this one included
}

func (f *Failure) Error() string {
	return fmt.Sprintf("seed %d, step %d, %s: %s\n  %s", f.Seed, f.Step, f.Object, f.Wrong, strings.Join(f.History, "\n  "))
}

// begin opens a step that concerns some objects; nil ones don't count.
func (c *Checker) begin(cl *client, nodes []*node, format string, args ...any) *step {
	c.count++
	s := &step{checker: c, number: c.count, client: cl, text: fmt.Sprintf(format, args...), connects: cl.calls.Stats().Connects}
	for _, n := range nodes {
		s.concerns(n)
	}
	return s
}

// repeated says whether a connection was lost meanwhile: what was asked may have been executed more than once.
func (s *step) repeated() bool { return s.client.calls.Stats().Connects != s.connects }

func (s *step) concerns(n *node) {
	if n == nil || slices.Contains(s.nodes, n) {
		return
	}
	s.nodes = append(s.nodes, n)
	if len(n.steps) == stepsKept {
		n.steps = slices.Delete(n.steps, 0, 1)
	}
	n.steps = append(n.steps, s)
}

// check notes that something is wrong unless ok.
func (s *step) check(ok bool, format string, args ...any) {
	if ok || s.wrong != nil {
		return
	}
	s.wrong = &Failure{Seed: s.checker.opts.Seed, Step: s.number, Wrong: fmt.Sprintf(format, args...)}
	if len(s.nodes) > 0 {
		s.wrong.Object = s.nodes[0].path()
	}
}

// end returns what was wrong, with how it came about.
func (s *step) end() error {
	if s.wrong == nil {
		return nil
	}
	var steps []*step
	for _, n := range s.nodes {
		steps = append(steps, n.steps...)
	}
	slices.SortFunc(steps, func(a, b *step) int { return a.number - b.number })
	for _, o := range slices.Compact(steps) {
		s.wrong.History = append(s.wrong.History, o.String())
	}
	return s.wrong
}

func (s *step) String() string {
	answer := s.answer
	if answer == "" {
		answer = "no answer"
	}
	return fmt.Sprintf("%d: client %d (uid %d): %s: %s", s.number, s.client.number, s.client.caller.UID, s.text, answer)
}

// whence says which of the last writes put wrong bytes where they are.
func whence(n *node, off uint64, got []byte) string {
	got = got[:min(len(got), 16)]
	if len(bytes.Trim(got, "\x00")) == 0 {
		return "they are zero"
	}
	for _, s := range slices.Backward(n.steps) {
		if off >= s.offset && off+uint64(len(got)) <= s.offset+uint64(len(s.data)) && string(s.data[off-s.offset:][:len(got)]) == string(got) {
			return fmt.Sprintf("they are those of step %d", s.number)
		}
	}
	return "they are none of the last writes'"
}
