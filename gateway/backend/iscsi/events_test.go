package iscsi

import (
	"context"

	"forebay/cachecore"
)

var cached = cachecore.ArrayInfo{Size: diskSize, WriteCache: true}

// events makes an array's events a channel.
func events(o *Options) <-chan Event {
	c := make(chan Event, 64)
	o.Watch = func(e Event) { c <- e }
	return c
}

func begun(call func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- call() }()
	return done
}

// writing begins a write of one block.
func writing(ctx context.Context, a *Array, p []byte, off int64) <-chan error {
	return begun(func() error { return a.WriteAt(ctx, p, off, cachecore.WriteOptions{}) })
}

func anything([]byte) bool { return true }
