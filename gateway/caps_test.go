package gateway

import (
	"context"
	"errors"
	"testing"
	"time"

	"forebay/cachecore"
	"forebay/cachecore/writeback"
	"forebay/configs"
)

func TestB9_SharesOfALog(t *testing.T) {
	on := func(pool, name, array string) configs.Volume {
		return configs.Volume{Pool: pool, Name: name, From: configs.From{Array: array}}
	}
	for name, c := range map[string]struct {
		beside []configs.Volume
		want   float64
	}{
		"alone":                            {nil, 1},
		"another pool's":                   {[]configs.Volume{on("slow", "b", "y")}, 1},
		"with another of its array":        {[]configs.Volume{on("fast", "b", "x"), on("fast", "c", "x")}, 0.5},
		"with two other arrays":            {[]configs.Volume{on("fast", "b", "y"), on("fast", "c", "z")}, 0.95 / 3},
		"with both, one of its own beside": {[]configs.Volume{on("fast", "b", "x"), on("fast", "c", "z")}, 0.95 / 4},
	} {
		v := on("fast", "a", "x")
		if got := logShare(append(c.beside, v), v); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// The array of one volume takes nothing: its writes wait in the end, and those of the other go on.
func TestB9_OneDeadArrayDoesNotFillTheLogOfAll(t *testing.T) {
	x := newLogged(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var err error
	for block := int64(0); err == nil; block++ {
		err = x.disks["vol1"].back.WriteAt(ctx, make([]byte, cachecore.BlockSize), block%64*cachecore.BlockSize, cachecore.WriteOptions{})
	}
	used, capacity := x.pool.log.Space()
	if !errors.Is(err, context.DeadlineExceeded) || used > capacity*55/100 || used < capacity*40/100 {
		t.Fatalf("%d of %d bytes are used; %v", used, capacity, err)
	}
	x.destage("vol2")
	for block := range int64(500) { // more than there is room for at a time
		x.write("vol2", block%64, 'x')
	}
	x.expectModes(writeback.Back, writeback.Back)
}
