package file_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"forebay/cachecore"
	"forebay/gateway/backend/file"
)

// refused holds an Open that must fail against an error and the words that its message needs.
func refused(t *testing.T, o file.Options, want error, words ...string) {
	t.Helper()
	a, err := file.Open(o)
	if err == nil {
		a.Close()
		t.Fatal("it is opened")
	}
	if want != nil && !errors.Is(err, want) {
		t.Errorf("not %v: %v", want, err)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("it does not say %q: %v", word, err)
		}
	}
}

// attached is a file that has been attached before, with its identity as the expected one.
func attached(t *testing.T) file.Options {
	t.Helper()
	o := options(t, 512)
	a, err := file.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	o.Expected = a.Info().Identity
	if err := a.Close(); err != nil || o.Expected == "" {
		t.Fatalf("%v, identity %q", err, o.Expected)
	}
	return o
}

func TestAFileIsMadeSparseAndWithItsSize(t *testing.T) {
	o := options(t, 512)
	a := open(t, o)
	info, err := os.Stat(o.Path)
	if err != nil || info.Size() != size || a.Info().Size != size || !a.Info().Thin {
		t.Fatalf("%v, %v", a.Info(), err)
	}
	names, _ := filepath.Glob(o.Path + "*")
	if len(names) != 2 {
		t.Errorf("left beside: %v", names)
	}
}

func TestD6_TheSameFileIsAttachedAgain(t *testing.T) {
	o := attached(t)
	if a := open(t, o); a.Info().Identity != o.Expected {
		t.Errorf("the identity has become %q", a.Info().Identity)
	}
}

func TestD6_AFileThatHasDisappearedIsNotMadeAgain(t *testing.T) {
	o := attached(t)
	if err := os.Remove(o.Path); err != nil {
		t.Fatal(err)
	}
	refused(t, o, cachecore.ErrUnavailable, o.Path, "disappeared", "put it back")
	o.Expected = "" // the control plane forgot; what lies beside the file did not
	refused(t, o, cachecore.ErrUnavailable, "disappeared", ".forebay-id")
	o.Expected = "uuid:of-before"
	if err := os.Remove(o.Path + ".forebay-id"); err != nil {
		t.Fatal(err)
	}
	refused(t, o, cachecore.ErrUnavailable, "disappeared")
	if _, err := os.Stat(o.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("a file was made")
	}
}

func TestD6_AnotherFileIsRefused(t *testing.T) {
	o := attached(t)
	if err := os.Remove(o.Path + ".forebay-id"); err != nil {
		t.Fatal(err)
	}
	refused(t, o, cachecore.ErrIdentity, ".forebay-id", "missing", o.Expected)

	for _, id := range []string{"11111111-2222-4333-8444-555555555555\n", "nonsense"} {
		if err := os.WriteFile(o.Path+".forebay-id", []byte(id), 0o600); err != nil {
			t.Fatal(err)
		}
		refused(t, o, cachecore.ErrIdentity, ".forebay-id")
	}
}

func TestD6_AnotherDeviceIsRefused(t *testing.T) {
	o := deviceOptions(t, 512, 512)
	a, err := file.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	identity := a.Info().Identity
	a.Close()
	if identity == "" {
		t.Fatal("a loop device has its backing file as identity")
	}
	o.Expected = "serial:another"
	refused(t, o, cachecore.ErrIdentity, identity, "serial:another")
}

func TestAFileInUseIsRefused(t *testing.T) {
	o := options(t, 512)
	first := open(t, o)
	refused(t, o, cachecore.ErrUnavailable, "locked", "another gateway")
	first.Close()
	open(t, o).Close()
}

func TestAFileThatIsTooSmallIsRefusedWithBothSizes(t *testing.T) {
	o := options(t, 512)
	if err := os.WriteFile(o.Path, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, o, nil, "1 MiB", "8 MiB", o.Path)
	if _, err := os.Stat(o.Path + ".forebay-id"); err == nil {
		t.Error("a file that was refused got an identity")
	}
}

func TestOfALargerFileTheConfiguredSizeIsServed(t *testing.T) {
	o := options(t, 512)
	if err := os.WriteFile(o.Path, make([]byte, size+700), 0o600); err != nil {
		t.Fatal(err)
	}
	a := open(t, o)
	if a.Info().Size != size {
		t.Errorf("%d bytes", a.Info().Size)
	}
	a.Close()
	o.Size = 0
	if a := open(t, o); a.Info().Size != size+512 {
		t.Errorf("%d bytes, not whole blocks of all of it", a.Info().Size)
	}
}

func TestWhatIsNoDiskIsRefused(t *testing.T) {
	o := options(t, 512)
	o.Path = filepath.Dir(o.Path)
	refused(t, o, nil, "neither a file nor a block device")
	o.Path = "/dev/null"
	refused(t, o, nil, "neither a file nor a block device")
	o.Path, o.Create = filepath.Join(t.TempDir(), "disk.img"), false
	refused(t, o, cachecore.ErrUnavailable, "does not exist")
}

func TestAFileThatIsCutOrRemovedWhileServedIsUnavailable(t *testing.T) {
	o, ctx := options(t, 512), context.Background()
	a := open(t, o)
	if err := os.Truncate(o.Path, 4096); err != nil {
		t.Fatal(err)
	}
	if err := a.ReadAt(ctx, make([]byte, 8192), 0); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Errorf("cut: %v", err)
	}
	if err := os.Remove(o.Path); err != nil {
		t.Fatal(err)
	}
	if err := a.Flush(ctx); !errors.Is(err, cachecore.ErrUnavailable) {
		t.Errorf("removed: %v", err)
	}
}

// Blocks of one page, written at the same time by several: none may be lost to a neighbour's write.
func TestNeighboursInOnePageStayWhole(t *testing.T) {
	for name, o := range map[string]func(*testing.T) file.Options{
		"file":           func(t *testing.T) file.Options { return options(t, 512) },
		"larger sectors": func(t *testing.T) file.Options { return deviceOptions(t, 4096, 512) },
	} {
		t.Run(name, func(t *testing.T) {
			a, done := open(t, o(t)), make(chan error)
			for sector := range 8 {
				go func() {
					p := bytes.Repeat([]byte{byte(sector + 1)}, 512)
					var err error
					for range 50 {
						err = errors.Join(err, a.WriteAt(t.Context(), p, int64(sector)*512, cachecore.WriteOptions{}))
					}
					done <- err
				}()
			}
			for range 8 {
				if err := <-done; err != nil {
					t.Error(err)
				}
			}
			page := make([]byte, 4096)
			if err := a.ReadAt(t.Context(), page, 0); err != nil {
				t.Fatal(err)
			}
			for i, b := range page {
				if b != byte(i/512+1) {
					t.Fatalf("byte %d is %d", i, b)
				}
			}
		})
	}
}

func BenchmarkRead4K(b *testing.B) {
	a := open(b, options(b, 512))
	p := make([]byte, 8192)
	b.ReportAllocs()
	for b.Loop() {
		if err := a.ReadAt(b.Context(), p[:4096], 0); err != nil {
			b.Fatal(err)
		}
	}
}
