package configs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is one file being read: its nodes, where each key stands, and the mistakes found so far.
type document struct {
	name     string
	root     *yaml.Node // nil until composed
	places   map[string]place
	keys     map[position]string // the way to the key that stands there
	values   map[position]string // the way to the innermost value that starts there
	errors   Errors
	warnings Errors
	refused  map[string]bool // keys whose own text was refused
}

// position in the text, from 1.
type position struct{ line, column int }

// maxDepth is more than any key of ours lies deep, and maxBytes more than a file of ours has.
const maxDepth, maxBytes = 16, 4 << 20

// place is where a key stands and what its value is.
type place struct {
	key, value *yaml.Node // key is nil for an item of a list
}

func newDocument(name string) *document {
	return &document{name: name, places: map[string]place{}, keys: map[position]string{}, values: map[position]string{}, refused: map[string]bool{}}
}

// compose turns the text into nodes and says whether there is something to construct.
func (d *document) compose(data []byte) bool {
	if len(data) > maxBytes {
		d.fail(0, 0, "", fmt.Sprintf("%d bytes are more than a configuration has", len(data)))
		return false
	}
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		d.fail(0, 0, "", err.Error())
		return false
	}
	var first, second yaml.Node
	switch err := loader.Load(&first); {
	case errors.Is(err, io.EOF):
		d.fail(0, 0, "", "the file is empty")
		return false
	case err != nil:
		d.failSyntax(err)
		return false
	}
	switch err := loader.Load(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		d.failSyntax(err)
	default:
		d.fail(second.Line, second.Column, "", "a second document: a configuration is one")
	}
	if line, column, deep := tooDeep(&first, 0); deep {
		d.fail(line, column, "", "nested deeper than any key of a configuration")
		return false
	}
	d.root = &first
	d.index("", &first)
	return true
}

func (d *document) failSyntax(err error) {
	var one *yaml.LoadError
	if errors.As(err, &one) {
		d.fail(one.Mark.Line, one.Mark.Column, "", strings.TrimPrefix(one.Message, "yaml: "))
		return
	}
	d.fail(0, 0, "", err.Error())
}

// tooDeep finds a value that no key of ours can lie at, before its path is made.
func tooDeep(n *yaml.Node, depth int) (line, column int, deep bool) {
	if depth > maxDepth {
		return n.Line, n.Column, true
	}
	for _, child := range n.Content {
		if line, column, deep = tooDeep(child, depth+1); deep {
			return line, column, true
		}
	}
	return 0, 0, false
}

// index notes where every key stands.
func (d *document) index(path string, n *yaml.Node) {
	if n.Anchor != "" || n.Kind == yaml.AliasNode {
		d.fail(n.Line, n.Column, path, "anchors and aliases are not accepted: write the value where it belongs")
		return
	}
	switch n.Kind {
	case yaml.DocumentNode:
		for _, child := range n.Content {
			d.index("", child)
		}
	case yaml.MappingNode:
		d.indexMapping(path, n)
	case yaml.SequenceNode:
		for i, item := range n.Content {
			child := fmt.Sprintf("%s[%d]", path, i)
			d.put(child, place{nil, item})
			d.index(child, item)
		}
	}
}

// indexMapping takes out keys that are given again, so that the rest of the mapping can still be read.
func (d *document) indexMapping(path string, n *yaml.Node) {
	var kept []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		child := strings.TrimPrefix(path+"."+key.Value, ".")
		if key.Value == "<<" {
			d.fail(key.Line, key.Column, child, "merge keys are not accepted: write the values where they belong")
			continue
		}
		if first, twice := d.places[child]; twice {
			d.fail(key.Line, key.Column, child, fmt.Sprintf("given again, after line %d", first.line()))
			continue
		}
		d.put(child, place{key, value})
		kept = append(kept, key, value)
		d.index(child, value)
	}
	n.Content = kept
}

// put is called for a value before what is in it, so the innermost stays in values.
func (d *document) put(path string, p place) {
	d.places[path] = p
	d.values[position{p.value.Line, p.value.Column}] = path
	if p.key != nil {
		d.keys[position{p.key.Line, p.key.Column}] = path
	}
}

func (p place) line() int {
	if p.key != nil {
		return p.key.Line
	}
	return p.value.Line
}
