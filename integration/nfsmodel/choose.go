package nfsmodel

import (
	"context"
	"fmt"
	"strings"

	"forebay/protocols/nfs"
)

// An op asks one thing.
type op struct {
	weight int
	ask    func(*Checker, context.Context) error
}

// ops are in the proportions that files live by: mostly data, and looks at attributes.
var ops = []op{
	{18, (*Checker).write}, {18, (*Checker).read}, {8, (*Checker).getAttr}, {8, (*Checker).lookup}, {8, (*Checker).setAttr},
	{4, (*Checker).access}, {9, (*Checker).create}, {3, (*Checker).mkdir}, {3, (*Checker).symlink}, {3, (*Checker).link},
	{5, (*Checker).remove}, {2, (*Checker).rmdir}, {6, (*Checker).rename}, {3, (*Checker).readLink}, {3, (*Checker).readDir},
	{3, (*Checker).readDirPlus}, {6, (*Checker).listOn}, {5, (*Checker).commit}, {2, (*Checker).askTheDead},
}

// any chooses what to ask.
func (c *Checker) any() func(context.Context) error {
	total := 0
	for _, o := range ops {
		total += o.weight
	}
	n := c.random.IntN(total)
	for _, o := range ops {
		if n -= o.weight; n < 0 {
			return func(ctx context.Context) error { return o.ask(c, ctx) }
		}
	}
	panic("no operation")
}

func (c *Checker) chance(percent int) bool { return c.random.IntN(100) < percent }

func (c *Checker) client() *client { return c.clients[c.random.IntN(len(c.clients))] }

func oneOf[T any](c *Checker, choices ...T) T { return choices[c.random.IntN(len(choices))] }

// node chooses an object: one of a kind, if there is any (0: of any kind), with a liking for what was worked on last; rarely of the wrong
// kind. What is chosen for its kind alone is a directory, which there always is.
func (c *Checker) node(kind nfs.FileType) *node {
	if c.chance(3) {
		kind = 0
	}
	from := c.live
	if c.chance(50) && len(c.recent) > 0 {
		from = c.recent
	}
	for range 2 {
		var fit []*node
		for _, n := range from {
			if kind == 0 || n.kind == kind {
				fit = append(fit, n)
			}
		}
		if len(fit) > 0 {
			return fit[c.random.IntN(len(fit))]
		}
		from = c.live
	}
	return c.base
}

// names are what things are called: few, so that they meet; some are awkward.
var names = []string{"a", "b", "c", "d", "e", "f.txt", "g.vmdk", "h-flat.vmdk", "with space", "ümlaut-\u00df", ".hidden", ".lck-1a2b3c", "-dash", "back\\slash",
	"new\nline", "bad\xff\xfeutf8", strings.Repeat("x", 255), strings.Repeat("y", 100)}

// name chooses a name that may not be there.
func (c *Checker) name() string {
	switch c.random.IntN(60) {
	case 0:
		odd := oneOf(c, "", ".", "..", "a/b", strings.Repeat("z", 256))
		if strings.Contains(odd, "/") && c.opts.SlashesResolved {
			odd = "."
		}
		return odd
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20:
		return fmt.Sprintf("n%d", c.random.IntN(200))
	}
	return oneOf(c, names...)
}

// nameIn chooses one that probably is there.
func (c *Checker) nameIn(d *node) string {
	if there := d.sortedNames(); len(there) > 0 && c.chance(85) {
		return oneOf(c, there...)
	}
	return c.name()
}

// full says that there is enough: what would make more had better remove something.
func (c *Checker) full() bool { return len(c.live) >= c.opts.Objects }

// bytes returns n random ones.
func (c *Checker) bytes(n int) []byte {
	p := make([]byte, n+8)
	for i := 0; i < n; i += 8 {
		v := c.random.Uint64()
		for j := range 8 {
			p[i+j] = byte(v >> (8 * j))
		}
	}
	return p[:n]
}

// length chooses 1 to maxTransfer, with as many short as long ones, and many that are whole blocks.
func (c *Checker) length() int {
	n := 1 + c.random.IntN(1<<(1+c.random.IntN(18)))
	if c.chance(30) {
		n = (n + 4095) &^ 4095
	}
	return min(n, maxTransfer)
}

// time chooses one between 1970 and 2100.
func (c *Checker) time() nfs.Time {
	return nfs.Time{Seconds: c.random.Uint32N(4_100_000_000), Nanoseconds: c.random.Uint32N(1_000_000_000)}
}
