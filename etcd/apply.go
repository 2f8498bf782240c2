package etcd

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

func (s *store) ApplyFile(ctx context.Context, file string, objects []Object) error {
	wanted, err := canonicalObjects(objects)
	if err != nil {
		return fmt.Errorf("apply %s: %w", file, err)
	}
	for range maxAttempts {
		a, err := s.readApply(ctx, file, wanted)
		if err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
		if err := a.plan(); err != nil {
			return err
		}
		if len(a.changes) == 0 {
			return nil
		}
		done, err := s.kv.commit(ctx, a.when, a.changes)
		if err != nil {
			return fmt.Errorf("apply %s: %w", file, err)
		}
		if done {
			return nil
		}
	}
	return fmt.Errorf("apply %s: %w", file, errBusy)
}

// application is one attempt to apply a file: three states of its objects, and what follows from them.
type application struct {
	file    string
	wanted  map[objectID][]byte // by the file, now
	last    map[objectID]value  // by the file, when it was last applied
	stored  map[objectID]value  // by the cluster
	others  map[objectID]bool   // held by another file too
	when    map[string]int64    // the revisions that all of it rests on
	changes []change
	drift   []Difference
}

func (s *store) readApply(ctx context.Context, file string, wanted map[objectID][]byte) (*application, error) {
	a := &application{
		file: file, wanted: wanted, last: map[objectID]value{}, stored: map[objectID]value{}, others: map[objectID]bool{}, when: map[string]int64{},
	}
	applied, err := s.kv.list(ctx, keyApplied)
	if err != nil {
		return nil, err
	}
	for key, v := range applied {
		switch by, id, ok := splitApplied(key); {
		case !ok:
			return nil, fmt.Errorf("a key of an unknown form: %s", key)
		case by == file:
			a.last[id] = v
		default:
			a.others[id] = true
		}
	}
	objects, err := s.kv.list(ctx, keyObjects)
	if err != nil {
		return nil, err
	}
	for _, id := range a.ids() {
		a.stored[id] = objects[keyObject(id)]
		a.when[keyObject(id)] = a.stored[id].revision
		a.when[keyAppliedObject(file, id)] = a.last[id].revision
	}
	return a, nil
}

// ids are the objects that the file holds or held, in order.
func (a *application) ids() []objectID {
	all := maps.Clone(a.last)
	for id := range a.wanted {
		all[id] = value{}
	}
	return slices.SortedFunc(maps.Keys(all), func(x, y objectID) int { return strings.Compare(x.key(), y.key()) })
}

// plan decides for each object; nothing of it counts if one has drifted.
func (a *application) plan() error {
	for _, id := range a.ids() {
		wanted, last, stored := a.wanted[id], a.last[id].data, a.stored[id].data
		switch {
		case wanted == nil && (stored == nil || a.others[id]):
			a.change(keyAppliedObject(a.file, id), nil)
		case bytes.Equal(stored, wanted), bytes.Equal(stored, last): // nobody else changed it, or to the same
			a.set(keyObject(id), stored, wanted)
			a.set(keyAppliedObject(a.file, id), last, wanted)
		default:
			a.drift = append(a.drift, differences(id, stored, wanted)...)
		}
	}
	if len(a.drift) > 0 {
		return &DriftError{File: a.file, Differences: a.drift}
	}
	return nil
}

func (a *application) set(key string, from, to []byte) {
	if !bytes.Equal(from, to) {
		a.change(key, to)
	}
}

func (a *application) change(key string, data []byte) {
	a.changes = append(a.changes, change{key, data})
}

// canonicalObjects makes equal documents equal bytes.
func canonicalObjects(objects []Object) (map[objectID][]byte, error) {
	canonical := make(map[objectID][]byte, len(objects))
	for _, o := range objects {
		id := objectID{o.Kind, o.Name}
		if o.Kind == "" || o.Name == "" {
			return nil, fmt.Errorf("an object without a kind or a name: %q %q", o.Kind, o.Name)
		}
		if _, twice := canonical[id]; twice {
			return nil, fmt.Errorf("%s %s stands in it twice", o.Kind, o.Name)
		}
		document, err := decode(o.Document)
		if err == nil {
			canonical[id], err = json.Marshal(document) // sorts keys
		}
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", o.Kind, o.Name, err)
		}
	}
	return canonical, nil
}

func decode(document []byte) (any, error) {
	var v any
	d := json.NewDecoder(bytes.NewReader(document))
	d.UseNumber()
	err := d.Decode(&v)
	return v, err
}
