package requests

import (
	"slices"

	"forebay/protocols/nfs/server"
)

// mostOpen is how many calls without an outcome are kept when a file is written anew.
const mostOpen = 4096

// useful returns what of a file's records is still of use, in order: the last of each call unless it is void, of those without an outcome the newest
// mostOpen, and of the outcomes the newest that take up to room bytes.
func useful(list []server.Record, room int) []server.Record {
	seen := make(map[server.CallID]bool, len(list)/2)
	var kept []server.Record
	open := 0
	for i := len(list) - 1; i >= 0; i-- {
		r := &list[i]
		if seen[r.ID] {
			continue
		}
		seen[r.ID] = true
		switch r.Step {
		case server.Intent, server.Unknown:
			if open++; open > mostOpen {
				continue
			}
		case server.Outcome:
			if room -= headLength + leastBody + 16 + len(r.Answer); room < 0 {
				continue
			}
		case server.Void:
			continue
		}
		kept = append(kept, *r)
	}
	slices.Reverse(kept)
	return kept
}
