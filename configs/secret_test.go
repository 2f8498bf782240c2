package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/configs"
)

// load writes the configuration and its secret files, and loads it.
func load(t *testing.T, chap string, secrets map[string]string) (*configs.Config, error) {
	t.Helper()
	dir := t.TempDir()
	secrets["forebay.yaml"] = whole + "      chap: " + chap + "\n"
	for name, text := range secrets {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return configs.Load(filepath.Join(dir, "forebay.yaml"))
}

func TestSecretsAreReadFromTheirFiles(t *testing.T) {
	c, err := load(t, "{user: esx, secret-file: s1, mutual: {user: gw, secret-file: s2}}", map[string]string{"s1": "twelve-bytes\n", "s2": " other secret \n\n"})
	if err != nil {
		t.Fatal(err)
	}
	chap := c.Volumes[0].ISCSI.CHAP
	if string(chap.Secret) != "twelve-bytes" || string(chap.Mutual.Secret) != " other secret \n" || len(c.Warnings) != 0 {
		t.Errorf("%q, %q, %v", chap.Secret, chap.Mutual.Secret, c.Warnings)
	}
}

func TestABadSecretIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		secrets map[string]string
		want    string
	}{
		"missing": {map[string]string{}, "can't be read"},
		"short":   {map[string]string{"s1": "eleven-byte\n"}, "has 11 bytes; 12 to 255 are wanted"},
		"long":    {map[string]string{"s1": strings.Repeat("x", 256)}, "has 256 bytes"},
		"same":    {map[string]string{"s1": "twelve-bytes", "s2": "twelve-bytes\n"}, "need different secrets"},
	} {
		t.Run(name, func(t *testing.T) {
			chap := "{user: esx, secret-file: s1}"
			if _, mutual := c.secrets["s2"]; mutual {
				chap = "{user: esx, secret-file: s1, mutual: {user: gw, secret-file: s2}}"
			}
			_, err := load(t, chap, c.secrets)
			if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "forebay.yaml:17:") {
				t.Error(err)
			}
		})
	}
}

func TestASecretThatEveryoneMayReadIsWarnedOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "open-secret")
	if err := os.WriteFile(path, []byte("twelve-bytes"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := load(t, "{user: esx, secret-file: "+path+"}", map[string]string{})
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings.Error(), "chmod 600") {
		t.Errorf("%v, %v", c, err)
	}
}

func TestAPipeIsNoSecretAndDoesNotStopTheStart(t *testing.T) {
	if _, err := load(t, "{user: esx, secret-file: /dev/zero}", map[string]string{}); err == nil || !strings.Contains(err.Error(), "regular file") {
		t.Error(err)
	}
}

func TestObjectsHaveNoSecrets(t *testing.T) {
	c, err := load(t, "{user: esx, secret-file: s1}", map[string]string{"s1": "twelve-bytes"})
	if err != nil {
		t.Fatal(err)
	}
	objects, err := c.Objects()
	if err != nil || len(objects) != 3 {
		t.Fatalf("%v, %v", objects, err)
	}
	for _, o := range objects {
		if strings.Contains(string(o.Document), "twelve") || strings.Contains(string(o.Document), "dHdlbHZl") {
			t.Errorf("%s", o.Document)
		}
	}
	if volume := string(objects[2].Document); objects[2].Kind != "volume" || !strings.Contains(volume, `"on-array-loss":"fail"`) || !strings.Contains(volume, `"block-size":512`) {
		t.Errorf("%s %s", objects[2].Kind, volume)
	}
}
