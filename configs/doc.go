// Package configs reads Forebay's configuration: strict YAML, every key of the design as a Go struct, and every mistake told in one go
// with file, line, column and key.
//
// Load works in four steps, and the later ones run even where an earlier one found mistakes, so that one run tells all: the text
// is composed into nodes (a syntax error ends here), the nodes are constructed into the structs (unknown keys, wrong kinds,
// malformed values), the rules between the values are checked, and what isn't built yet is refused (unbuilt.go, the one list).
// A value whose own text was refused is not checked further.
//
// Relative paths, of secrets, the data folder and arrays alike, are relative to the folder of the configuration file, and absolute
// in what Load returns: a gateway serves the same files whatever folder it is started in. Secrets are read from files, by Load only.
//
// Anchors, aliases and merge keys are refused: a value stands where it is said.
//
//go:generate go test -count=1 -run TestSchemaIsCurrent . -update
package configs
