// Package device is what a tier keeps on flash, or in memory in flash's place: a flat medium of 4 KiB units that says exactly what is durable
// when. The write log and the flash store stand on it; it knows nothing of either.
//
// Three media are here, and Split makes two of one. File is a file or a block device, with direct I/O where the file system has it. Memory is a piece of an arena, for
// tiers without flash. devicetest.Twin is a drive with a volatile write cache that tests can cut the power of.
//
// What callers owe: offsets and lengths are multiples of Unit, buffers begin on a page (Buffer makes such), and of calls that overlap none is a write.
// Within that, calls may run concurrently. Close comes when no call is under way.
package device
