package mount

import "forebay/protocols/nfs/xdr"

// Mounted is a client that has mounted a directory.
type Mounted struct{ Host, Dir string }

// MountedList is the result of DUMP.
type MountedList []Mounted

func (l *MountedList) Encode(e *xdr.Encoder) {
	for _, m := range *l {
		e.Bool(true)
		e.String(m.Host)
		e.String(m.Dir)
	}
	e.Bool(false)
}

func (l *MountedList) Decode(d *xdr.Decoder) {
	*l = nil
	for d.Bool() {
		*l = append(*l, Mounted{d.String(maxName), d.String(maxPath)})
	}
}

// Export is a directory that may be mounted, by whom: names and networks; empty is everybody.
type Export struct {
	Dir    string
	Groups []string
}

// ExportList is the result of EXPORT.
type ExportList []Export

func (l *ExportList) Encode(e *xdr.Encoder) {
	for _, x := range *l {
		e.Bool(true)
		e.String(x.Dir)
		for _, group := range x.Groups {
			e.Bool(true)
			e.String(group)
		}
		e.Bool(false)
	}
	e.Bool(false)
}

func (l *ExportList) Decode(d *xdr.Decoder) {
	*l = nil
	for d.Bool() {
		x := Export{Dir: d.String(maxPath)}
		for d.Bool() {
			x.Groups = append(x.Groups, d.String(maxName))
		}
		*l = append(*l, x)
	}
}
