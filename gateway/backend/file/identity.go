package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"forebay/cachecore"
)

// idPath is where a file's identity lies.
func idPath(path string) string { return path + ".forebay-id" }

// identify returns the medium's identity and holds it against the expected one.
func (a *Array) identify(o Options) (string, error) {
	if a.device {
		return a.identifyDevice(o)
	}
	identity, err := readID(a.path)
	switch {
	case errors.Is(err, fs.ErrNotExist) && o.Expected == "":
		return writeID(a.path)
	case errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("%w: %s is missing: this may be another file than the one attached before; if it is the same, write %s into it",
			cachecore.ErrIdentity, idPath(a.path), o.Expected)
	case err != nil:
		return "", err
	case o.Expected != "" && identity != o.Expected:
		return "", fmt.Errorf("%w: %s says %s, and %s was attached before: put that file back, or give this one a new array name",
			cachecore.ErrIdentity, idPath(a.path), identity, o.Expected)
	}
	return identity, nil
}

func (a *Array) identifyDevice(o Options) (string, error) {
	identity, err := deviceIdentity(a.fd)
	if err != nil {
		return "", fmt.Errorf("identify %s: %w", a.path, classify(err))
	}
	if o.Expected != "" && identity != o.Expected {
		return "", fmt.Errorf("%w: the device at %s is %q, and %q was attached before: connect that one, or give this one a new array name",
			cachecore.ErrIdentity, a.path, identity, o.Expected)
	}
	if identity == "" {
		o.Log.Warn().Str("path", a.path).Msg("the device tells no WWID and no serial number: another one in its place would not be noticed")
	}
	return identity, nil
}

func readID(path string) (string, error) {
	text, err := os.ReadFile(idPath(path))
	if err != nil {
		return "", fmt.Errorf("read the identity: %w", err)
	}
	id, err := uuid.Parse(strings.TrimSpace(string(text)))
	if err != nil {
		return "", fmt.Errorf("%w: %s does not hold a UUID", cachecore.ErrIdentity, idPath(path))
	}
	return "uuid:" + id.String(), nil
}

// writeID gives a file its identity, whole and durable before it is told.
func writeID(path string) (string, error) {
	id, err := uuid.NewRandom()
	if err != nil {
		return "", fmt.Errorf("make an identity: %w", err)
	}
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".forebay-new-*")
	if err != nil {
		return "", fmt.Errorf("write the identity: %w", classify(err))
	}
	defer os.Remove(f.Name())
	defer f.Close()
	if _, err = f.WriteString(id.String() + "\n"); err == nil {
		err = errors.Join(f.Sync(), os.Link(f.Name(), idPath(path)))
	}
	if err != nil {
		return "", fmt.Errorf("write the identity: %w", classify(err))
	}
	return "uuid:" + id.String(), syncDir(path)
}
