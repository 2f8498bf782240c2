package etcd

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// DriftError says that cluster objects are not what a file last applied: someone else changed them, and applying the file would undo that.
type DriftError struct {
	File        string
	Differences []Difference
}

// Difference is one key of one object. Key is empty where the object as a whole is concerned; a side that has nothing is empty.
type Difference struct {
	Kind, Name, Key string
	Cluster, File   string // JSON
}

func (e *DriftError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s was not applied: the cluster's objects were changed since it last was. Write into it what the cluster has, and start again:", e.File)
	for _, d := range e.Differences {
		b.WriteString("\n  " + d.String())
	}
	return b.String()
}

func (d Difference) String() string {
	where := d.Kind + " " + d.Name
	if d.Key != "" {
		where += ": " + d.Key
	}
	return fmt.Sprintf("%s: the cluster has %s, the file %s", where, orNothing(d.Cluster), orNothing(d.File))
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// differences compares two documents key by key; nil is an object that isn't there.
func differences(id objectID, cluster, file []byte) []Difference {
	if cluster == nil || file == nil {
		return []Difference{{Kind: id.kind, Name: id.name, Cluster: string(cluster), File: string(file)}}
	}
	left, right := map[string]string{}, map[string]string{}
	flatten("", cluster, left)
	flatten("", file, right)
	keys := maps.Clone(left)
	maps.Copy(keys, right)
	var all []Difference
	for _, key := range slices.Sorted(maps.Keys(keys)) {
		if left[key] != right[key] {
			all = append(all, Difference{id.kind, id.name, key, left[key], right[key]})
		}
	}
	return all
}

// flatten writes the leaves of a document under their full keys. What isn't JSON is one leaf.
func flatten(key string, document []byte, into map[string]string) {
	v, err := decode(document)
	if err != nil {
		into[key] = string(document)
		return
	}
	flattenValue(key, v, into)
}

func flattenValue(key string, v any, into map[string]string) {
	switch v := v.(type) {
	case map[string]any:
		for name, child := range v {
			flattenValue(strings.TrimPrefix(key+"."+name, "."), child, into)
		}
	case []any:
		for i, child := range v {
			flattenValue(fmt.Sprintf("%s[%d]", key, i), child, into)
		}
	default:
		text, err := json.Marshal(v)
		if err != nil {
			text = fmt.Append(nil, v)
		}
		into[key] = string(text)
	}
}
