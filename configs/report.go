package configs

import (
	"fmt"
	"strings"
)

func (d *document) fail(line, column int, key, message string) {
	d.errors = append(d.errors, Error{File: d.name, Line: line, Column: column, Key: key, Message: message})
}

// has says whether the file gives the key.
func (d *document) has(key string) bool {
	_, ok := d.places[key]
	return ok
}

// refuse reports a mistake of the value at key, unless its own text, or that of what it is in, was refused already. A key that isn't
// given is reported at the nearest one around it.
func (d *document) refuse(key, format string, args ...any) {
	for around := key; around != ""; around = parent(around) {
		if d.refused[around] {
			return
		}
	}
	line, column := d.find(key)
	d.fail(line, column, key, fmt.Sprintf(format, args...))
}

func (d *document) warn(key, format string, args ...any) {
	line, column := d.find(key)
	d.warnings = append(d.warnings, Error{File: d.name, Line: line, Column: column, Key: key, Message: fmt.Sprintf(format, args...)})
}

func (d *document) find(key string) (line, column int) {
	for around := key; around != ""; around = parent(around) {
		p, ok := d.places[around]
		switch {
		case !ok:
			continue
		case p.key != nil && around != key: // a key is missing in here: point at the name of what lacks it
			return p.key.Line, p.key.Column
		default:
			return p.value.Line, p.value.Column
		}
	}
	return 1, 1
}

// parent is the way to what holds the value at key.
func parent(key string) string {
	return key[:max(strings.LastIndexAny(key, ".["), 0)]
}
