package rpc

import "forebay/protocols/nfs/xdr"

// Flavor is a kind of authentication (RFC 5531 8.2).
type Flavor uint32

const (
	AuthNone Flavor = 0
	AuthSys  Flavor = 1
)

const (
	maxAuthBody    = 400
	maxMachineName = 255
	maxGIDs        = 16
)

// Credentials say who calls. All but Flavor counts with AUTH_SYS (authsys_parms, RFC 5531 appendix A).
type Credentials struct {
	Flavor  Flavor
	Stamp   uint32
	Machine []byte // a decoded one is a view
	UID     uint32
	GID     uint32
	gids    [maxGIDs]uint32
	ngids   int
}

// GIDs are the supplementary groups: a view.
func (c *Credentials) GIDs() []uint32 { return c.gids[:c.ngids] }

// SetGIDs sets the supplementary groups. The protocol carries 16; it returns false, and takes the first ones, if there are more.
func (c *Credentials) SetGIDs(gids []uint32) bool {
	c.ngids = copy(c.gids[:], gids)
	return c.ngids == len(gids)
}

// encode appends an opaque_auth.
func (c *Credentials) encode(e *xdr.Encoder) {
	e.Uint32(uint32(c.Flavor))
	if c.Flavor != AuthSys {
		e.Uint32(0)
		return
	}
	machine := c.Machine[:min(len(c.Machine), maxMachineName)]
	e.Uint32(uint32(4 + 4 + len(machine) + xdr.Pad(len(machine)) + 4 + 4 + 4 + 4*c.ngids))
	e.Uint32(c.Stamp)
	e.Opaque(machine)
	e.Uint32(c.UID)
	e.Uint32(c.GID)
	e.Uint32(uint32(c.ngids))
	for _, gid := range c.GIDs() {
		e.Uint32(gid)
	}
}

// decode reads an opaque_auth. A body that is wrong fails with the AuthStatus to deny the call with; one that is too long or cut fails as
// the message does.
func (c *Credentials) decode(d *xdr.Decoder) {
	*c = Credentials{Flavor: Flavor(d.Uint32())}
	body := d.Opaque(maxAuthBody)
	switch {
	case d.Err() != nil || c.Flavor == AuthNone:
	case c.Flavor == AuthSys:
		c.decodeSys(d, body)
	default:
		d.Fail(AuthRejectedCred)
	}
}

func (c *Credentials) decodeSys(d *xdr.Decoder, body []byte) {
	in := xdr.NewDecoder(body)
	c.Stamp = in.Uint32()
	c.Machine = in.Opaque(maxMachineName)
	c.UID = in.Uint32()
	c.GID = in.Uint32()
	c.ngids = in.Count(maxGIDs, 4)
	for i := range c.ngids {
		c.gids[i] = in.Uint32()
	}
	if in.Err() != nil {
		d.Fail(AuthBadCred)
	}
}
