package export

import (
	"slices"
	"time"

	"forebay/protocols/nfs"
)

// right is something that the array has let a user do.
type right int

const (
	mayRead   right = 1 << iota // READ of a file
	mayLookup                   // LOOKUP in a directory
)

const (
	maxGrants = 8           // of an object
	grantLife = time.Minute // rights may change without a trace: groups, the filer's export rules
)

// grant is what one user may do with an object.
type grant struct {
	uid, gid uint32
	gids     []uint32
	until    time.Time
	rights   right
	asked    nfs.Access // by ACCESS
	given    nfs.Access // of these
}

func (g *grant) of(c *nfs.Caller) bool {
	return g.uid == c.UID && g.gid == c.GID && slices.Equal(g.gids, c.GIDs)
}

// grants are those of an object. They are guarded by its node's mu.
type grants struct {
	list  []grant
	turns uint64 // how often all were taken back
	next  int    // the one that goes when there are too many
}

// find returns a user's grant, or nil.
func (g *grants) find(c *nfs.Caller, now time.Time) *grant {
	for i := range g.list {
		if x := &g.list[i]; x.of(c) && now.Before(x.until) {
			return x
		}
	}
	return nil
}

// allows says whether a user has a right.
func (g *grants) allows(c *nfs.Caller, r right, now time.Time) bool {
	x := g.find(c, now)
	return x != nil && x.rights&r != 0
}

// enter returns a user's grant to add to, unless all have been taken back since the array was asked.
func (g *grants) enter(c *nfs.Caller, turns uint64, now time.Time) *grant {
	if turns != g.turns {
		return nil
	}
	if x := g.find(c, now); x != nil {
		return x
	}
	x := grant{uid: c.UID, gid: c.GID, gids: slices.Clone(c.GIDs), until: now.Add(grantLife)}
	for i := range g.list {
		if !now.Before(g.list[i].until) {
			g.list[i] = x
			return &g.list[i]
		}
	}
	if len(g.list) < maxGrants {
		g.list = append(g.list, x)
		return &g.list[len(g.list)-1]
	}
	g.next = (g.next + 1) % maxGrants
	g.list[g.next] = x
	return &g.list[g.next]
}

// revoke takes all back.
func (g *grants) revoke() {
	g.list = nil
	g.turns++
}
