package iscsi

import (
	"testing"

	"forebay/cachecore"
	"forebay/cachecore/arraytest"
)

func TestSuiteOnOurOwnTarget(t *testing.T) {
	for name, info := range map[string]cachecore.ArrayInfo{
		"512 thin, zeroes, write cache": {Size: diskSize, LogicalBlock: 512, Thin: true, UnmapZeroes: true, WriteCache: true},
		"512 thin":                      {Size: diskSize, LogicalBlock: 512, Thin: true},
		"4096 thin, write cache":        {Size: diskSize, LogicalBlock: 4096, Thin: true, UnmapGrain: 8192, WriteCache: true},
		"4096":                          {Size: diskSize, LogicalBlock: 4096},
		"512 write cache, odd length":   {Size: diskSize + 512, LogicalBlock: 512, WriteCache: true},
	} {
		t.Run(name, func(t *testing.T) {
			arraytest.Suite(t, func(t *testing.T) cachecore.Array {
				o := options(t, newSAN(t, info).portal)
				o.BlockSize = info.LogicalBlock
				return open(t, o)
			})
		})
	}
}

func TestInfoIsWhatTheArrayTells(t *testing.T) {
	want := cachecore.ArrayInfo{Size: diskSize, LogicalBlock: 512, PhysicalBlock: 4096, Thin: true, UnmapZeroes: true, UnmapGrain: 8192, WriteCache: true, Interruptible: true,
		Identity: "naa.60010203000000000000000000000000"}
	if got := open(t, options(t, newSAN(t, want).portal)).Info(); got != want {
		t.Fatalf("%+v", got)
	}
}

func TestDigestsAreAskedFor(t *testing.T) {
	o := options(t, newSAN(t, cachecore.ArrayInfo{Size: diskSize}).portal)
	o.Digests = true
	a := open(t, o)
	if p := a.mu.session.Params(); !p.HeaderDigest || !p.DataDigest {
		t.Fatalf("%+v", p)
	}
	mustWrite(t, a, pattern(1, 64<<10), 0, cachecore.WriteOptions{})
	expect(t, a, 0, pattern(1, 64<<10))
}
