package ram

import (
	"fmt"
	"testing"

	"forebay/cachecore"
)

// What a shard takes and gives back, rounded to pages, is of no other shard, and of no other array of the index, whatever pages the system has.
func TestNoPageBelongsToTwo(t *testing.T) {
	for _, p := range []page{4 << 10, 16 << 10, 64 << 10} {
		for _, blocks := range []int64{RunBlocks, 1000, 4*minSlots + 33, 20*minSlots + 1} {
			l, err := layoutFor(blocks*blk, (blocks+17)*blk, p)
			if err != nil {
				t.Fatal(err)
			}
			owners := map[int]string{}
			for shard := range l.shards {
				array := 0
				if err := l.ranges(shard, 0, uint32((blocks+17)/int64(l.shards)), func(from, to int) error {
					name := fmt.Sprintf("array %d of shard %d", array, shard)
					array++
					for at := p.down(from); at < p.up(to); at += int(p) {
						if other, taken := owners[at]; taken {
							return fmt.Errorf("pages of %d, %d blocks: page %d is of %s and of %s", p, blocks, at/int(p), name, other)
						}
						owners[at] = name
					}
					if p.up(to) > l.bytes() {
						return fmt.Errorf("pages of %d, %d blocks: %s has no memory", p, blocks, name)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

// A store whose shards have an odd number of blocks shrinks and grows with large pages as with small ones.
func TestAStoreOfOddShardsShrinksWithLargePages(t *testing.T) {
	const blocks = 5*minSlots + 33
	s, err := reserve(blocks*blk, blocks*blk, 64<<10)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := s.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}()
	if len(s.shards) < 4 {
		t.Fatalf("%d shards", len(s.shards))
	}
	for _, slots := range []int64{blocks, blocks / 2, blocks/3 + 7, blocks} {
		if err := s.Resize(t.Context(), slots*blk); err != nil {
			t.Fatal(err)
		}
		for b := range cachecore.Block(2 * blocks) {
			put(s, 1, b, 1)
		}
		whole(t, s)
	}
}
