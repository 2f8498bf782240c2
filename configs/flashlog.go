package configs

// How much of a flash is the write log's.
const (
	flashLogShare = 8         // the log needs what destaging is behind by, reads need the rest
	maxFlashLog   = 20 << 30  // minutes of writes at the speed of a drive: more would only make a restart, which reads it, slow
	minLogFlash   = 512 << 20 // below, an eighth is less than the least log that can be configured, and reads need all there is
	flashUnit     = 4096
)

// FlashLog is how many bytes at the end of a flash of that size are the write log's, where its tier has no log of its own; 0: none. It depends on nothing
// but the size, so that what was acknowledged is found again whatever the volumes' policies are by then.
func FlashLog(flash int64) int64 {
	if flash < minLogFlash {
		return 0
	}
	return min(flash/flashLogShare, maxFlashLog) / flashUnit * flashUnit
}

// logsDurably says whether the tier has a write log that a power cut leaves alone. Of a flash without a size in the file the gateway has to see.
func (t Tier) logsDurably() bool {
	return t.Log != nil || t.Flash != nil && (t.Flash.Size == 0 || FlashLog(int64(t.Flash.Size)) > 0)
}
