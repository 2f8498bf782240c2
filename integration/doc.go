// Package integration tests Forebay from outside: real processes of the binary, real initiators in front, real arrays behind,
// peers beside it for comparison; and it holds the promises about the tree itself (import walls, mutations). Nothing imports it.
//
// Tests that mostly wait for a load to end run beside each other (t.Parallel); what judges how long something takes runs alone.
package integration
