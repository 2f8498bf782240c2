package integration

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Each patch in mutations/ puts one bug back in. Its head names the test that must notice:
//
//	Test: ./cachecore/volume TestG1_...
//
// The patches are applied to a copy of the tree, one at a time, which must build, and the named test must pass without it and fail with it.
func TestEveryMutationIsNoticed(t *testing.T) {
	patches, err := filepath.Glob("mutations/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("no mutations found: %v", err)
	}
	tree := copyOfTree(t, repositoryRoot(t)) // one for all: what a patch doesn't concern is compiled once
	for _, patch := range patches {
		t.Run(strings.TrimSuffix(filepath.Base(patch), ".patch"), func(t *testing.T) { mutate(t, tree, patch) })
	}
}

var namedTest = regexp.MustCompile(`(?m)^Test: (\S+) (\S+)$`)

func mutate(t *testing.T, tree, patch string) {
	abs, err := filepath.Abs(patch)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(abs)
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindStringSubmatch(string(text))
	if named == nil {
		t.Fatal("the patch names no test")
	}
	try := func() (string, bool) {
		return run(tree, "go", "test", "-count=1", "-v", "-timeout", "2m", "-run", "^"+named[2]+"$", named[1])
	}
	if out, ok := try(); !ok || !strings.Contains(out, "--- PASS: "+named[2]) {
		t.Fatalf("%s does not pass without the mutation:\n%s", named[2], out)
	}
	before := sources(t, tree, string(text))
	defer restore(t, before)
	if out, ok := run(tree, "patch", "-p1", "--fuzz=3", "--no-backup-if-mismatch", "-i", abs); !ok {
		t.Fatalf("the patch no longer applies:\n%s", out)
	}
	switch out, ok := try(); {
	case ok:
		t.Fatalf("%s passes with the bug in place", named[2])
	case strings.Contains(out, "[build failed]"), strings.Contains(out, "[setup failed]"):
		t.Fatalf("the mutated tree does not build:\n%s", out)
	case !strings.Contains(out, "--- FAIL: "+named[2]):
		t.Fatalf("%s did not fail by its own word:\n%s", named[2], out)
	}
}

var patched = regexp.MustCompile(`(?m)^\+\+\+ b/(\S+)$`)

// sources are the files of a tree that a patch changes.
func sources(t *testing.T, tree, patch string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, m := range patched.FindAllStringSubmatch(patch, -1) {
		path := filepath.Join(tree, m[1])
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		files[path] = content
	}
	return files
}

func restore(t *testing.T, files map[string][]byte) {
	t.Helper()
	for path, content := range files {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// copyOfTree copies what the module's build needs into a temporary folder.
func copyOfTree(t *testing.T, root string) string {
	t.Helper()
	tree := t.TempDir()
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if name := e.Name(); name == ".git" || name == "build" {
			continue
		}
		if out, ok := run(root, "cp", "-a", e.Name(), tree); !ok {
			t.Fatal(out)
		}
	}
	return tree
}

func repositoryRoot(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func run(dir, name string, args ...string) (string, bool) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	return string(out), err == nil
}
