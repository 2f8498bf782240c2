package configs

import (
	"encoding/json"
	"fmt"
)

// Object is a part of the file that belongs to the whole cluster: a pool, array, volume or fault domain as a JSON document, with its
// defaults and absolute paths and without secrets.
type Object struct {
	Kind, Name string
	Document   []byte
}

// Objects are the cluster objects that the file holds, in its order.
func (c *Config) Objects() ([]Object, error) {
	var objects []Object
	add := func(kind, name string, v any) error {
		document, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("%s %s: %w", kind, name, err)
		}
		objects = append(objects, Object{kind, name, document})
		return nil
	}
	for _, f := range c.FaultDomains {
		if err := add("fault-domain", f.Name, f); err != nil {
			return nil, err
		}
	}
	for _, p := range c.Pools {
		if err := add("pool", p.Name, p); err != nil {
			return nil, err
		}
	}
	for _, a := range c.Arrays {
		if err := add("array", a.Name, a); err != nil {
			return nil, err
		}
	}
	for _, v := range c.Volumes {
		if err := add("volume", v.Name, v); err != nil {
			return nil, err
		}
	}
	return objects, nil
}
