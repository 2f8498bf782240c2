package configs_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/invopop/jsonschema"

	"forebay/configs"
)

var update = flag.Bool("update", false, "write forebay.schema.json")

const schemaFile = "forebay.schema.json"

func TestSchemaIsCurrent(t *testing.T) {
	want := schema(t)
	if *update {
		if err := os.WriteFile(schemaFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(schemaFile)
	if err != nil || !bytes.Equal(have, want) {
		t.Errorf("%s is not what the structs say: run `make schema` (%v)", schemaFile, err)
	}
}

// schema is made from the structs and their comments. What has a text form is a string with a pattern, or a number too.
func schema(t *testing.T) []byte {
	r := jsonschema.Reflector{FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, Anonymous: true, ExpandedStruct: true, Mapper: textForm}
	if err := r.AddGoComments("forebay/configs", "."); err != nil {
		t.Fatal(err)
	}
	s := r.Reflect(configs.Config{})
	s.Title = "Forebay configuration"
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return append(text, '\n')
}

func textForm(t reflect.Type) *jsonschema.Schema {
	const size = `^[0-9]+([KMGTP]iB)?$`
	switch t {
	case reflect.TypeFor[configs.Size]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: "0"}, {Type: "string", Pattern: size}}}
	case reflect.TypeFor[configs.Share]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "integer", Minimum: "0"}, {Type: "string", Pattern: `^([0-9]+%|[0-9]+([KMGTP]iB)?)$`}}}
	case reflect.TypeFor[configs.Duration]():
		return &jsonschema.Schema{Type: "string", Pattern: `^([0-9.]+(ns|us|ms|s|m|h))+$`}
	case reflect.TypeFor[configs.OnArrayLoss]():
		return &jsonschema.Schema{Type: "string", Pattern: `^(fail|hold .+)$`}
	case reflect.TypeFor[configs.Address]():
		return &jsonschema.Schema{OneOf: []*jsonschema.Schema{{Type: "string"}, {Const: false}}} // off, to editors that read YAML 1.1
	}
	return nil
}
