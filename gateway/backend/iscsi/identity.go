package iscsi

import (
	"context"
	"errors"
	"fmt"

	"forebay/cachecore"
	"forebay/protocols/iscsi/initiator"
)

// otherMedium is the error of a LUN that isn't the one attached before (PROTOCOL D6).
func (a *Array) otherMedium(name string) error {
	return fmt.Errorf("%w: lun %d of %s is %q, and %q was attached before: connect that one, or give this one a new array name",
		cachecore.ErrIdentity, a.opts.LUN, a.opts.Target, name, a.knownIdentity())
}

// knownIdentity needs a.mu held, or the keeper, who alone changes it.
func (a *Array) knownIdentity() string { return a.mu.identity }

// identify asks for the name of the medium behind a session and holds it against what is known.
func (a *Array) identify(ctx context.Context, p *path, s *initiator.Session) error {
	d, err := s.Designators(ctx, a.opts.LUN)
	if err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	p.name, p.group = d.Name, d.PortGroup
	first := a.info.Load() == nil
	if known := a.mu.identity; d.Name != known && (known != "" || !first) {
		return a.otherMedium(d.Name)
	}
	if first && d.Name == "" {
		a.opts.Log.Warn().Str("target", a.opts.Target).Msg("the LUN tells no name: another one in its place would not be noticed")
	}
	a.mu.identity = d.Name
	return nil
}

var (
	errShrunk = errors.New("the LUN has become smaller")
	errBlocks = errors.New("the logical block of the LUN does not fit")
)

// measure asks what the LUN is now.
func (a *Array) measure(ctx context.Context, s *initiator.Session) error {
	lun := a.opts.LUN
	capacity, err := s.Capacity(ctx, lun)
	if err != nil {
		return err
	}
	caching, err := s.Caching(ctx, lun)
	if err != nil {
		return err
	}
	provisioning, err := s.Provisioning(ctx, lun)
	if err != nil {
		return err
	}
	info, limits := describe(capacity, caching, provisioning, a.opts.BlockSize)
	info.Identity = a.knownIdentity()
	before := a.info.Load()
	switch {
	case capacity.BlockSize != 512 && capacity.BlockSize != 4096, a.opts.BlockSize%capacity.BlockSize != 0:
		return fmt.Errorf("%w: it has %d bytes, and the volume is to serve %d", errBlocks, capacity.BlockSize, a.opts.BlockSize)
	case before != nil && before.LogicalBlock != info.LogicalBlock:
		a.alter()
		return fmt.Errorf("%w: it had %d bytes before, and now has %d", errBlocks, before.LogicalBlock, info.LogicalBlock)
	case before != nil && info.Size < before.Size:
		a.alter()
		return fmt.Errorf("%w: %d bytes, and %d before", errShrunk, info.Size, before.Size)
	}
	a.limits.Store(&limits)
	a.info.Store(&info)
	if before != nil && *before != info {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.mu.untold.resized = true
	}
	return nil
}

// alter notes that the LUN has been found smaller, or with other blocks. What it has when it is as it was before may be other than what is cached.
func (a *Array) alter() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.mu.altered {
		a.mu.altered, a.mu.untold.unproven = true, true
	}
}

// describe puts together what a LUN tells. blockSize is what the volume serves: a rest at the end that is smaller is not used.
func describe(c initiator.Capacity, k initiator.Caching, p initiator.Provisioning, blockSize int) (cachecore.ArrayInfo, limits) {
	block := int64(c.BlockSize)
	atMost := func(told uint64, bytes int64) int64 {
		if blocks := bytes / block; told == 0 || told > uint64(blocks) {
			return blocks
		}
		return int64(told)
	}
	l := limits{
		block: c.BlockSize, transfer: atMost(uint64(p.MaxTransfer), maxTransfer), fua: k.FUA,
		unmap: atMost(uint64(p.MaxUnmapBlocks), maxTrim), same: atMost(p.MaxWriteSame, maxSame),
		byUnmap: p.Unmap && (!c.ReadsZeroes || !p.WriteSameUnmap), sameUnmap: p.WriteSameUnmap,
	}
	return cachecore.ArrayInfo{
		Size: c.Size() / int64(blockSize) * int64(blockSize), LogicalBlock: c.BlockSize, PhysicalBlock: max(c.BlockSize*c.BlocksPerPhy, c.BlockSize),
		Thin: c.Thin && (p.Unmap || p.WriteSameUnmap), UnmapZeroes: c.ReadsZeroes && p.WriteSameUnmap,
		UnmapGrain: int64(p.UnmapGrain) * block, WriteCache: k.WriteCache, Interruptible: true,
	}, l
}

const (
	maxTrim = 1 << 30  // bytes of one UNMAP
	maxSame = 16 << 20 // bytes of one WRITE SAME, which some arrays write one by one
)
