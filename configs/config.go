package configs

import (
	"fmt"
	"os"
	"path/filepath"
)

// Config is a configuration file with every default filled in and every path absolute.
type Config struct {
	Gateway Gateway `yaml:"gateway" json:"gateway" jsonschema:"required"`
	// The control plane's store. Without this key the gateway is alone and runs an embedded one.
	Etcd         Etcd          `yaml:"etcd" json:"etcd"`
	FaultDomains []FaultDomain `yaml:"fault-domains" json:"fault-domains,omitempty"`
	Pools        []Pool        `yaml:"pools" json:"pools"`
	Arrays       []Array       `yaml:"arrays" json:"arrays"`
	Volumes      []Volume      `yaml:"volumes" json:"volumes"`

	// File is the absolute path of the file.
	File string `yaml:"-" json:"-"`
	// Warnings are what an operator should know and what doesn't stop a gateway.
	Warnings Errors `yaml:"-" json:"-"`
}

// Load reads, checks and completes the file at path and reads the secrets that it names. Mistakes come as Errors.
func Load(path string) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	c, d := parse(path, data)
	if d.root != nil {
		readSecrets(c, d)
	}
	return c.result(d)
}

// Parse is Load of a text that is at hand; name stands in the errors and its folder is where relative paths start. No file is
// opened: secrets stay empty.
func Parse(name string, data []byte) (*Config, error) {
	c, d := parse(name, data)
	return c.result(d)
}

func parse(name string, data []byte) (*Config, *document) {
	c, d := defaults(), newDocument(name)
	if abs, err := filepath.Abs(name); err == nil {
		c.File = abs
	}
	if !d.compose(data) {
		return c, d
	}
	d.construct(c)
	c.complete(d)
	checkAll(c, d)
	d.refuseUnbuilt()
	return c, d
}

func (c *Config) result(d *document) (*Config, error) {
	c.Warnings = d.warnings.sorted()
	if len(d.errors) > 0 {
		return nil, d.errors.sorted()
	}
	return c, nil
}
