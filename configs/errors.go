package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Error is one mistake. Line and Column start at 1; they are 0 where the place isn't known. Key is the way to the value, such as
// volumes[1].iscsi.target, or empty for a mistake of the text as a whole.
type Error struct {
	File         string
	Line, Column int
	Key          string
	Message      string
}

func (e Error) Error() string {
	var b strings.Builder
	b.WriteString(e.File)
	if e.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", e.Line, e.Column)
	}
	if e.Key != "" {
		b.WriteString(": " + e.Key)
	}
	b.WriteString(": " + e.Message)
	return b.String()
}

// Errors are all mistakes of one file, by line; Error has one line for each.
type Errors []Error

func (e Errors) Error() string {
	lines := make([]string, len(e))
	for i, one := range e {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

func (e Errors) sorted() Errors {
	slices.SortStableFunc(e, func(a, b Error) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return e
}
