package bench

import (
	"fmt"
	"slices"

	"forebay/protocols/nfs"
)

// stable is a flag of a stable_how (RFC 1813 3.3.7).
type stable nfs.Stable

var stableNames = []string{nfs.Unstable: "unstable", nfs.DataSync: "data-sync", nfs.FileSync: "file-sync"}

func (s *stable) String() string { return stableNames[*s] }
func (s *stable) Type() string   { return "how" }

func (s *stable) Set(text string) error {
	i := slices.Index(stableNames, text)
	if i < 0 {
		return fmt.Errorf("want one of %q", stableNames)
	}
	*s = stable(i)
	return nil
}
