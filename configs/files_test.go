package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/configs"
)

func TestTheDemoIsALoadableConfiguration(t *testing.T) {
	c, err := configs.Load("demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	root, _ := filepath.Abs("..")
	for _, path := range []string{c.Gateway.DataDir, c.Arrays[0].File.Path} {
		if !strings.HasPrefix(path, filepath.Join(root, "build", "demo")+"/") {
			t.Errorf("%s is not under build/demo", path)
		}
	}
	if c.Gateway.Tiers[0].RAM != 256<<20 || c.Arrays[0].File.Size != 4<<30 || len(c.Warnings) != 0 {
		t.Errorf("%+v", c)
	}
}

func TestTheDemosTextNamesWhatTheDemoServes(t *testing.T) {
	c, err := configs.Load("demo.yaml")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("demo.txt")
	if err != nil {
		t.Fatal(err)
	}
	url := "iscsi://" + string(c.Gateway.Listen.ISCSI[0]) + "/" + c.Volumes[0].ISCSI.Target + "/0"
	for _, words := range []string{url, "http://" + string(c.Gateway.Listen.API) + "/", "build/forebay status", "Ctrl-C stops it"} {
		if !strings.Contains(string(text), words) {
			t.Errorf("demo.txt does not say %q", words)
		}
	}
}

func TestTheExampleIsRightApartFromItsSecrets(t *testing.T) {
	text, err := os.ReadFile("example.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := configs.Parse("example.yaml", text); err != nil {
		t.Error(err)
	}
}
