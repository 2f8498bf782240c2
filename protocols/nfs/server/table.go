package server

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"
)

// table is the exports at one time. It is not changed.
type table struct {
	byID map[uint16]*export
	list []*export // the longest path first
}

// export is an Export and what is made of it beforehand.
type export struct {
	*Export
	clients []netip.Prefix // IPv4 networks as such
}

func newTable(list []*Export) (*table, error) {
	t := &table{byID: make(map[uint16]*export)}
	paths := make(map[string]bool)
	for _, x := range list {
		switch {
		case !path.IsAbs(x.Path) || path.Clean(x.Path) != x.Path:
			return nil, fmt.Errorf("export %q: the path is not clean and absolute", x.Path)
		case paths[x.Path]:
			return nil, fmt.Errorf("export %s: twice", x.Path)
		case t.byID[x.ID] != nil:
			return nil, fmt.Errorf("exports %s and %s: both have id %d", t.byID[x.ID].Path, x.Path, x.ID)
		}
		paths[x.Path] = true
		e := &export{x, make([]netip.Prefix, len(x.Clients))}
		for i, p := range x.Clients {
			e.clients[i] = unmapPrefix(p)
		}
		t.byID[x.ID] = e
		t.list = append(t.list, e)
	}
	slices.SortFunc(t.list, func(a, b *export) int { return cmp.Compare(len(b.Path), len(a.Path)) })
	return t, nil
}

// unmapPrefix is an IPv4 network for one that is written as IPv6.
func unmapPrefix(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p
}

// find returns the export that a clean path lies in, the innermost one, and the path from there: empty for the export itself.
func (t *table) find(p string) (e *export, rest string) {
	for _, e := range t.list {
		if rest, ok := strings.CutPrefix(p, e.Path); ok && (rest == "" || rest[0] == '/' || e.Path == "/") {
			return e, strings.TrimPrefix(rest, "/")
		}
	}
	return nil, ""
}

// inOrder lists the exports by path.
func (t *table) inOrder() []*export {
	return slices.SortedFunc(slices.Values(t.list), func(a, b *export) int { return cmp.Compare(a.Path, b.Path) })
}
