package configs_test

import (
	"encoding/json"
	"errors"
	"os"
	"testing"

	"forebay/configs"
)

// FuzzConfig: no text ends the process, what is refused is told as Errors with places in the text, and what is accepted can be
// written as the documents of cluster objects.
func FuzzConfig(f *testing.F) {
	f.Add([]byte(whole))
	for _, name := range []string{"demo.yaml", "example.yaml", "testdata/design.yaml"} {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c, err := configs.Parse("f.yaml", text)
		if err == nil {
			if _, err := json.Marshal(c); err != nil {
				t.Error(err)
			}
			return
		}
		var all configs.Errors
		if !errors.As(err, &all) || len(all) == 0 || c != nil {
			t.Fatalf("%T: %v", err, err)
		}
		for i, e := range all {
			if e.Message == "" || i > 0 && e.Line < all[i-1].Line {
				t.Errorf("not in order, or empty: %v", all)
			}
		}
	})
}
