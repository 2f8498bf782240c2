package nfs

import (
	"context"

	wire "forebay/protocols/nfs"
)

// eyes is what the filer shows to a change that is being reconciled: the change has waited for whatever may be in its way, so its looks don't.
type eyes struct{ f *Filer }

// Do implements wire.FileSystem, of procedures that change nothing.
func (e eyes) Do(ctx context.Context, c *wire.Caller, p wire.Procedure, a, r wire.Message) error {
	return e.f.call(ctx, &request{procedure: p, caller: c, args: a, result: r})
}
