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
// The patch is applied to a copy of the tree, the copy must build, and the named test must pass without it and fail with it.
func TestEveryMutationIsNoticed(t *testing.T) {
	patches, err := filepath.Glob("mutations/*.patch")
	if err != nil || len(patches) == 0 {
		t.Fatalf("no mutations found: %v", err)
	}
	for _, patch := range patches {
		t.Run(strings.TrimSuffix(filepath.Base(patch), ".patch"), func(t *testing.T) { mutate(t, patch) })
	}
}

var namedTest = regexp.MustCompile(`(?m)^Test: (\S+) (\S+)$`)

func mutate(t *testing.T, patch string) {
	text, err := os.ReadFile(patch)
	if err != nil {
		t.Fatal(err)
	}
	named := namedTest.FindStringSubmatch(string(text))
	if named == nil {
		t.Fatal("the patch names no test")
	}
	pkg, test := named[1], "^"+named[2]+"$"
	root := repositoryRoot(t)
	if out, ok := run(root, "go", "test", "-count=1", "-v", "-run", test, pkg); !ok || !strings.Contains(out, "--- PASS: "+named[2]) {
		t.Fatalf("%s does not pass without the mutation:\n%s", named[2], out)
	}
	tree := copyOfTree(t, root)
	abs, _ := filepath.Abs(patch)
	if out, ok := run(tree, "patch", "-p1", "--fuzz=3", "-i", abs); !ok {
		t.Fatalf("the patch no longer applies:\n%s", out)
	}
	if out, ok := run(tree, "go", "vet", pkg); !ok {
		t.Fatalf("the mutated tree does not build:\n%s", out)
	}
	out, ok := run(tree, "go", "test", "-count=1", "-timeout", "2m", "-run", test, pkg)
	if ok {
		t.Fatalf("%s passes with the bug in place", named[2])
	}
	if !strings.Contains(out, "--- FAIL: "+named[2]) {
		t.Fatalf("%s did not fail by its own word:\n%s", named[2], out)
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
