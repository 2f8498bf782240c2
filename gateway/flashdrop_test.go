package gateway

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/configs"
	"forebay/gateway/api"
)

// An array that is attached again in the same life may have forgotten what it had answered: flash is dropped, and after a restart as well.
func TestFlashIsDroppedWhenTheArrayComesBack(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	l.disk.attaching(l.disk.attachment.Info())
	if l.warm(3) {
		t.Error("served after another attachment")
	}
	l.cache(4)
	l.disk.doubted(false)
	if l.warm(4) {
		t.Error("served in doubt")
	}
	l.end()
	l.begin()
	defer l.end()
	if l.warm(3) || l.warm(4) {
		t.Error("served after a restart")
	}
}

// What is read back after a write that no flush has covered is not found after a restart: the array may have lost power, and the write.
func TestFlashIsNotAheadOfAnArrayThatLostPower(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	if err := l.volume().Write(context.Background(), bytes.Repeat([]byte{7}, cachecore.BlockSize), 3*cachecore.BlockSize, false); err != nil {
		t.Fatal(err)
	}
	for range 4 {
		l.warm(3)
	}
	l.stop()
	_ = l.volume().Close(context.Background())
	if err := l.pool.close(context.Background()); err != nil {
		t.Fatal(err)
	}
	l.san.mem.Crash(nil)
	l.begin()
	defer l.end()
	if got := l.read(3); got != 0 {
		t.Errorf("read %d, and the array has 0", got)
	}
}

// Under a write log in RAM what is cached counts for one life, and under another log it doesn't.
func TestWhatIsCachedGoesWithTheWriteLog(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	store, plain := l.pool.flash.current(), l.disk.servedWith(l.pool.flash.current())
	words := map[string]bool{plain: true}
	for range 2 {
		log, err := openLog(configs.Tier{Pool: "fast", RAM: mib}, nil, l.log.logger())
		if err != nil {
			t.Fatal(err)
		}
		x := &disk{pool: &pool{log: log}, back: &back{durable: true}, attachment: l.disk.attachment}
		words[x.servedWith(store)] = true
		x.back.record.Losses = 1 // the tier may have what was given up
		words[x.servedWith(store)] = true
		x.back = &back{}
		words[x.servedWith(store)] = true
		if err := log.close(); err != nil {
			t.Fatal(err)
		}
	}
	if len(words) != 6 || !words[""] {
		t.Errorf("%v", words)
	}
}

func TestTheCacheIsDroppedAsAskedFor(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	l.cache(3)
	g := &Gateway{pools: map[string]*pool{"fast": l.pool}, disks: []*disk{l.disk}}
	if err := g.DropCache(context.Background(), "vol2"); !errors.Is(err, api.ErrNotFound) {
		t.Error(err)
	}
	if err := g.DropCache(context.Background(), "vol1"); err != nil || l.warm(3) {
		t.Errorf("it is still there (%v)", err)
	}
}

// Others may have written to the array before the volume was there: nothing from an earlier life counts.
func TestFlashIsDroppedInDoubtBeforeTheVolumeIsThere(t *testing.T) {
	l := newLives(t)
	l.begin()
	l.cache(3)
	l.end()
	l.beginInDoubt()
	defer l.end()
	if l.warm(3) {
		t.Error("served in doubt")
	}
}

// Under a write log it is the array that is flushed for what flash keeps: the log answers only for what it has itself.
func TestWhatIsKeptUnderAWriteLogIsFlushedOnTheArray(t *testing.T) {
	l := newLives(t)
	l.begin()
	defer l.end()
	if l.disk.settle() != nil {
		t.Error("without a log flushes are enough")
	}
	log, err := openLog(configs.Tier{Pool: "fast", RAM: mib}, nil, l.log.logger())
	if err != nil {
		t.Fatal(err)
	}
	array := writeback.New(writeback.Options{Array: l.disk.attachment, Log: log, Buffers: l.pool.buffers, Shard: 1, Epoch: 1, Durable: true}, writeback.Back)
	x := &disk{back: &back{Array: array}, attachment: l.disk.attachment}
	if err := array.Flush(context.Background()); err != nil { // of what an earlier life has answered
		t.Fatal(err)
	}
	before := l.san.count("flush")
	if err := array.Flush(context.Background()); err != nil || l.san.count("flush") != before {
		t.Errorf("the log's flush asks the array (%v)", err)
	}
	if err := x.settle()(context.Background()); err != nil || l.san.count("flush") != before+1 {
		t.Errorf("the array is not flushed (%v)", err)
	}
	if err := log.close(); err != nil {
		t.Fatal(err)
	}
}
