package initiatortest

import "slices"

// nexus is who talks to the LUN: an initiator port, as far as tests tell them apart.
type nexus = [6]byte

// reservations are the registrations and the reservation of the LUN, for the types "registrants only" (SPC-4 5.13). They survive a lost
// session. Guarded by Target.mu.
type reservations struct {
	generation uint32
	ports      []nexus
	keys       map[nexus]uint64
	holder     nexus
	kind       byte // 0: not reserved
}

const (
	writeExclusive  = 5
	exclusiveAccess = 6
)

// refuses says whether the reservation keeps a command of a nexus out.
func (r *reservations) refuses(n nexus, operation byte) bool {
	if _, registered := r.keys[n]; registered || r.kind == 0 {
		return false
	}
	switch operation {
	case 0x8a, 0x42, 0x93, 0x35, 0x91: // what changes the medium, or flushes it
		return true
	case 0x88, 0x1a:
		return r.kind == exclusiveAccess
	}
	return false
}

// register replaces the key of a nexus; 0 ends its registration, and with it a reservation that is its own.
func (r *reservations) register(n nexus, key uint64) {
	r.generation++
	if key != 0 {
		if r.keys == nil {
			r.keys = make(map[nexus]uint64)
		}
		r.keys[n] = key
		r.ports = append(slices.DeleteFunc(r.ports, func(o nexus) bool { return o == n }), n)
		return
	}
	delete(r.keys, n)
	r.ports = slices.DeleteFunc(r.ports, func(o nexus) bool { return o == n })
	if r.kind != 0 && r.holder == n {
		r.kind = 0
	}
}

// out does a PERSISTENT RESERVE OUT of a nexus and returns the status. key is its reservation key, other the service action's.
func (r *reservations) out(n nexus, action, kind byte, key, other uint64) byte {
	mine, registered := r.keys[n]
	switch {
	case action == 6: // REGISTER AND IGNORE EXISTING KEY
		r.register(n, other)
		return 0
	case action == 0 && !registered && key == 0: // REGISTER
		r.register(n, other)
		return 0
	case !registered || key != mine:
		return reservationConflict
	}
	switch action {
	case 0:
		r.register(n, other)
	case 1: // RESERVE
		if r.kind != 0 && (r.holder != n || r.kind != kind) {
			return reservationConflict
		}
		r.holder, r.kind = n, kind
	case 2: // RELEASE
		if r.kind != 0 && r.holder == n {
			r.kind = 0
		}
	case 3: // CLEAR
		*r = reservations{generation: r.generation + 1}
	case 4, 5: // PREEMPT, PREEMPT AND ABORT
		return r.preempt(n, kind, other)
	}
	return 0
}

// preempt ends the registrations with a key; a reservation that was one of them becomes n's.
func (r *reservations) preempt(n nexus, kind byte, victim uint64) byte {
	found, takes := false, false
	for _, port := range slices.Clone(r.ports) {
		if r.keys[port] != victim {
			continue
		}
		found = true
		takes = takes || r.kind != 0 && r.holder == port
		if port != n {
			r.register(port, 0)
		}
	}
	if !found {
		return reservationConflict
	}
	if takes {
		r.holder, r.kind = n, kind
	}
	return 0
}

// reserve does a PERSISTENT RESERVE IN or OUT.
func (x *Target) reserve(n nexus, cdb, list []byte) outcome {
	r := &x.reserved
	switch action := cdb[1] & 31; {
	case x.Unfenced:
		return illegal(invalidOperation)
	case cdb[0] == 0x5e && action == 0:
		return outcome{data: r.readKeys()}
	case cdb[0] == 0x5e && action == 1:
		return outcome{data: r.readReservation()}
	case cdb[0] == 0x5f && action <= 6 && len(list) == 24:
		return outcome{status: r.out(n, action, cdb[2]&15, be.Uint64(list), be.Uint64(list[8:]))}
	}
	return illegal(invalidField)
}

func (r *reservations) readKeys() []byte {
	p := be.AppendUint32(nil, r.generation)
	p = be.AppendUint32(p, uint32(8*len(r.ports)))
	for _, n := range r.ports {
		p = be.AppendUint64(p, r.keys[n])
	}
	return p
}

func (r *reservations) readReservation() []byte {
	p := be.AppendUint32(nil, r.generation)
	if r.kind == 0 {
		return be.AppendUint32(p, 0)
	}
	p = be.AppendUint32(p, 16)
	p = be.AppendUint64(p, r.keys[r.holder])
	return append(p, 0, 0, 0, 0, 0, r.kind, 0, 0)
}
