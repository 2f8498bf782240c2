package server

import (
	"net/netip"

	"forebay/protocols/nfs"
	"forebay/protocols/nfs/rpc"
)

const firstUserPort = 1024

// admits says whether a client may use the export.
func (e *export) admits(client netip.AddrPort) bool {
	addr := client.Addr().Unmap().WithZone("")
	if e.SecurePorts && (!addr.IsValid() || client.Port() >= firstUserPort) {
		return false
	}
	for _, p := range e.clients {
		if p.Contains(addr) {
			return true
		}
	}
	return len(e.clients) == 0
}

// squash sets who r's caller is in the export. The groups are views of r and of the export.
func (r *request) squash(e *export, c *rpc.Credentials) {
	if c.Flavor != rpc.AuthSys || e.Squash == SquashAll || e.Squash == SquashRoot && c.UID == 0 {
		r.caller = e.Anon
		return
	}
	groups := r.groups[:copy(r.groups[:], c.GIDs())]
	r.caller = nfs.Caller{UID: c.UID, GID: c.GID, GIDs: groups}
	if e.Squash != SquashRoot {
		return
	}
	if r.caller.GID == 0 {
		r.caller.GID = e.Anon.GID
	}
	for i := range groups {
		if groups[i] == 0 {
			groups[i] = e.Anon.GID
		}
	}
}

// changes says which procedures a read-only export refuses. COMMIT isn't one of them: it changes nothing that wasn't changed before.
func changes(p nfs.Procedure) bool { return !p.Idempotent() || p == nfs.ProcWrite }

// accessReadOnly is what anybody may be able to do in a read-only export.
const accessReadOnly = nfs.AccessRead | nfs.AccessLookup | nfs.AccessExecute
