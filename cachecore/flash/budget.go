package flash

import "time"

// budget is a bucket of bytes that may be written, filled evenly through the day. What isn't used is kept for an hour. fill.mu guards it.
type budget struct {
	perDay int64 // 0: no limit
	have   int64
	at     time.Time
	most   int64
}

const day = 24 * time.Hour

// newBudget begins with an hour's worth, and never with less than one region: else nothing would ever be written whole.
func newBudget(perDay, region int64) budget {
	most := max(perDay/24, region)
	return budget{perDay: perDay, have: most, at: time.Now(), most: most}
}

// change has another limit count from now on. What has been earned under one stays, as far as this keeps it.
func (b *budget) change(perDay, region int64) {
	to := newBudget(perDay, region)
	if b.perDay != 0 {
		b.earn()
		to.have, to.at = min(b.have, to.most), b.at
	}
	*b = to
}

// affords says whether n bytes are there, beyond what is kept for others: half of the most is for what is read, however much is brought.
func (b *budget) affords(n int64, from origin) bool {
	if b.perDay == 0 {
		return true
	}
	b.earn()
	reserve := int64(0)
	if from == brought {
		reserve = b.most / 2
	}
	return b.have-reserve >= n
}

func (b *budget) spend(n int64) { b.have -= n }

func (b *budget) earn() {
	since := time.Since(b.at)
	if since >= day {
		b.at, b.have = b.at.Add(since), b.most
		return
	}
	earned := int64(float64(b.perDay) * (float64(since) / float64(day)))
	if earned == 0 {
		return // the time is kept until it is worth a byte
	}
	b.at = b.at.Add(since)
	b.have = min(b.most, b.have+earned)
}
