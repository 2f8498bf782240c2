// Package arraytest has what the tests of arrays and of their users share: Mem, the memory twin of a cachecore.Array, and Suite, which
// every array passes, the twin included.
//
// Mem has a volatile write cache, as disks do: what was answered and not flushed is gone after Crash. Faults enter at the medium: an
// interceptor sees each operation before and after it takes effect and may fail it, Hold stops one there until the test lets it go on.
package arraytest
