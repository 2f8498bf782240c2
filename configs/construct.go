package configs

import (
	"encoding"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// construct fills c from the nodes; c has what could be read even where something could not.
func (d *document) construct(c *Config) {
	err := d.root.Load(c, yaml.WithKnownFields())
	var all *yaml.LoadErrors
	if !errors.As(err, &all) {
		if err != nil {
			d.failSyntax(err)
		}
		return
	}
	for _, e := range all.Errors {
		key, message := d.explain(e)
		d.refused[key] = true
		d.fail(e.Mark.Line, e.Mark.Column, key, message)
	}
}

var (
	unknownField = regexp.MustCompile(`^field .* not found in type `)
	wrongKind    = regexp.MustCompile("(?s)^cannot construct !!\\w+(?: `(.*)`)? into (.*)$")
)

// explain words a constructor's error as a reader of the file understands it.
func (d *document) explain(e *yaml.LoadError) (key, message string) {
	at := position{e.Mark.Line, e.Mark.Column}
	if unknownField.MatchString(e.Message) {
		return d.keys[at], "unknown key"
	}
	key = d.values[at]
	if m := wrongKind.FindStringSubmatch(e.Message); m != nil {
		return key, strings.TrimSpace(quoted(m[1]) + " is not " + kindName(m[2]))
	}
	return key, e.Message
}

func quoted(s string) string {
	if s == "" {
		return "this"
	}
	return fmt.Sprintf("%q", s)
}

func kindName(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list: write [..] or lines that start with a dash"
	case strings.HasPrefix(goType, "int"), strings.HasPrefix(goType, "uint"):
		return "a whole number that fits"
	case goType == "bool":
		return "true or false"
	case goType == "string":
		return "a text"
	default:
		return "a mapping of keys to values"
	}
}

// scalar parses a plain value of a type with a text form.
func scalar(n *yaml.Node, into encoding.TextUnmarshaler) error {
	if n.Kind != yaml.ScalarNode {
		return errors.New("this is not a single value")
	}
	return into.UnmarshalText([]byte(n.Value))
}
