package gateway

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"forebay/cachecore"
	"forebay/configs"
	"forebay/etcd"
)

// plane is a store that may be away.
type plane struct {
	etcd.Store
	err     error // of every call; nil: it is there
	silent  bool  // calls last as long as their contexts
	refuses bool  // to store an identity
}

func (p *plane) answers(ctx context.Context) error {
	if p.silent {
		<-ctx.Done()
		return ctx.Err()
	}
	return p.err
}

func (p *plane) Identity(ctx context.Context, array string) (string, error) {
	if err := p.answers(ctx); err != nil {
		return "", err
	}
	return p.Store.Identity(ctx, array)
}

func (p *plane) StoreIdentity(ctx context.Context, array, identity string) error {
	if err := p.answers(ctx); err != nil {
		return err
	}
	if p.refuses {
		return errBoom
	}
	return p.Store.StoreIdentity(ctx, array, identity)
}

// opens is what verified opens, and a note of what it was asked for.
func opens(s *san, expected *[]string) func(string) (backend, error) {
	return func(identity string) (backend, error) {
		*expected = append(*expected, identity)
		return s.attach(context.Background())
	}
}

func TestD6_TheIdentityIsStoredAtTheFirstAttachmentAndExpectedAtTheNext(t *testing.T) {
	s, store := newSAN(t, cachecore.ArrayInfo{}), etcd.NewMemory()
	var expected []string
	for range 2 { // two lives of the gateway
		array, err := verified(t.Context(), &medium{array: "san1", store: store}, opens(s, &expected), identityOf)
		if err != nil {
			t.Fatal(err)
		}
		array.Close()
	}
	if stored, err := store.Identity(t.Context(), "san1"); err != nil || stored != "uuid:1" {
		t.Errorf("%q, %v", stored, err)
	}
	if expected[0] != "" || expected[1] != "uuid:1" {
		t.Errorf("opened against %q", expected)
	}
}

func TestD6_AMediumWhoseIdentityIsNotStoredIsClosedAgain(t *testing.T) {
	for name, store := range map[string]*plane{
		"the control plane refuses":   {Store: etcd.NewMemory(), refuses: true},
		"another gateway was quicker": {Store: quicker{etcd.NewMemory()}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSAN(t, cachecore.ArrayInfo{})
			var expected []string
			_, err := verified(t.Context(), &medium{array: "san1", store: store}, opens(s, &expected), identityOf)
			says(t, err, "not attached")
			if s.isOpen() || len(expected) != 1 {
				t.Error("it stays open")
			}
		})
	}
}

// quicker is a store where another medium gets the name between the question and the answer.
type quicker struct{ etcd.Store }

func (q quicker) StoreIdentity(ctx context.Context, array, identity string) error {
	return errors.Join(q.Store.StoreIdentity(ctx, array, "uuid:other"), q.Store.StoreIdentity(ctx, array, identity))
}

func TestAnArrayComesBackWhileTheControlPlaneIsAway(t *testing.T) {
	s, store := newSAN(t, cachecore.ArrayInfo{}), &plane{Store: etcd.NewMemory()}
	m := &medium{array: "san1", store: store}
	var expected []string
	for range 2 {
		array, err := verified(t.Context(), m, opens(s, &expected), identityOf)
		if err != nil {
			t.Fatal(err)
		}
		array.Close()
		store.err = errBoom
	}
	if expected[1] != "uuid:1" {
		t.Errorf("opened against %q", expected)
	}
	_, err := verified(t.Context(), &medium{array: "san1", store: store}, opens(s, &expected), identityOf)
	if !errors.Is(err, errBoom) || len(expected) != 2 {
		t.Error("opened for the first time without having asked: ", err)
	}
}

func TestAMediumWithoutANameIsAskedForItAgain(t *testing.T) {
	s, store := newSAN(t, cachecore.ArrayInfo{}), etcd.NewMemory()
	m := &medium{array: "san1", store: store}
	var expected []string
	for _, s.identity = range []string{"", "uuid:1", "uuid:1"} {
		array, err := verified(t.Context(), m, opens(s, &expected), identityOf)
		if err != nil {
			t.Fatal(err)
		}
		array.Close()
	}
	if expected[2] != "uuid:1" {
		t.Errorf("opened against %q", expected)
	}
}

func TestAControlPlaneThatIsSilentIsGivenUpAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, log := newSAN(t, cachecore.ArrayInfo{}), newLines(t)
		m := &medium{array: "san1", store: &plane{Store: etcd.NewMemory(), silent: true}}
		var expected []string
		a := newAttachment("san1", "mem", func(ctx context.Context) (backend, error) { return verified(ctx, m, opens(s, &expected), identityOf) }, log.logger())
		ctx, end := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			a.run(ctx, &witness{})
			close(ended)
		}()
		time.Sleep(identityTimeout + time.Minute)
		log.expect(1, "can't be attached", context.DeadlineExceeded.Error())
		began := time.Now()
		end()
		<-ended
		if took := time.Since(began); took != 0 {
			t.Errorf("the end waits %v for the control plane", took)
		}
	})
}

// The whole of it: a file that is put in the place of the one that was attached before.
func TestD6_AnotherFileIsNotAttachedAndTheStatusSaysWhy(t *testing.T) {
	store, log := etcd.NewMemory(), newLines(t)
	config := configs.Array{Name: "disk1", File: &configs.FileArray{Path: filepath.Join(t.TempDir(), "disk.img"), Size: mib}}
	run := func() (*attachment, context.CancelFunc, *witness) {
		r := arrays{store: store, log: log.logger()}
		a, w := r.attachment(config, configs.Volume{ISCSI: &configs.ISCSIExport{BlockSize: 512}}), &witness{}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			a.run(ctx, w)
			close(ended)
		}()
		return a, func() { cancel(); <-ended }, w
	}
	_, end, _ := run()
	log.wait("array attached", "uuid:")
	end()
	if err := os.WriteFile(config.File.Path+".forebay-id", []byte("11111111-2222-4333-8444-555555555555\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, end, w := run()
	log.wait("can't be attached", "11111111-2222-4333-8444-555555555555")
	attached, reason := a.state()
	says(t, errors.New(reason), cachecore.ErrIdentity.Error(), "was attached before")
	end()
	if told := w.heard(); attached || len(told) != 0 {
		t.Errorf("it is attached: %q", told)
	}
}
