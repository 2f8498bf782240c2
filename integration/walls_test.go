package integration

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// mayImport is the import table of the design: what each top folder may import of ours, outside itself.
var mayImport = map[string][]string{
	"protocols":   {},
	"cachecore":   {},
	"configs":     {},
	"peers":       {"cachecore"},
	"etcd":        {"cachecore", "peers"},
	"gateway":     {"protocols", "cachecore", "configs", "peers", "etcd"},
	"integration": {"protocols", "cachecore", "configs", "peers", "etcd", "gateway"},
}

const module = "forebay/"

func TestImportsStayWithinTheWalls(t *testing.T) {
	for _, p := range listPackages(t) {
		room := top(p.ImportPath)
		allowed, known := mayImport[room]
		if !known {
			t.Errorf("%s: the design has no top folder %q", p.ImportPath, room)
			continue
		}
		imports := slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		for _, imp := range imports {
			if !strings.HasPrefix(imp, module) || top(imp) == room {
				continue
			}
			if !slices.Contains(allowed, top(imp)) {
				t.Errorf("%s imports %s: %s may import only %v", p.ImportPath, imp, room, allowed)
			}
		}
	}
}

func TestCacheCoreKnowsNoNetwork(t *testing.T) {
	for _, p := range listPackages(t) {
		if top(p.ImportPath) != "cachecore" {
			continue
		}
		for _, imp := range p.Imports {
			if imp == "net" || strings.HasPrefix(imp, "net/") {
				t.Errorf("%s imports %s", p.ImportPath, imp)
			}
		}
	}
}

type listedPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func listPackages(t *testing.T) []listedPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", module+"...").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listedPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listedPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) == 0 {
		t.Fatal("go list found no package")
	}
	return packages
}

func top(importPath string) string {
	room, _, _ := strings.Cut(strings.TrimPrefix(importPath, module), "/")
	return room
}
