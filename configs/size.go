package configs

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Size is a number of bytes: written as a whole number with KiB, MiB, GiB, TiB or PiB behind it, or alone.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes int64
}{{"PiB", 1 << 50}, {"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"", 1}}

func (s *Size) UnmarshalYAML(n *yaml.Node) error { return scalar(n, s) }

// UnmarshalText parses what MarshalText writes.
func (s *Size) UnmarshalText(text []byte) error {
	digits := strings.TrimRight(string(text), "KMGTPiB")
	unit := string(text[len(digits):])
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return fmt.Errorf("%q is not a size: write bytes, or a whole number with KiB, MiB, GiB, TiB or PiB, such as 4GiB", text)
	}
	for _, u := range sizeUnits {
		if u.name != unit {
			continue
		}
		if int64(n) > math.MaxInt64/u.bytes {
			return fmt.Errorf("%q is too large", text)
		}
		*s = Size(int64(n) * u.bytes)
		return nil
	}
	return fmt.Errorf("%q has no unit that is known: KiB, MiB, GiB, TiB or PiB", text)
}

// MarshalText writes the largest unit that keeps the number whole.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	for _, u := range sizeUnits {
		if s != 0 && int64(s)%u.bytes == 0 {
			return strconv.FormatInt(int64(s)/u.bytes, 10) + u.name
		}
	}
	return "0"
}

// Share is a part of a whole: a percentage of it, or a size.
type Share struct {
	Percent int // 1 to 100, or 0 if Bytes counts
	Bytes   Size
}

func (s *Share) UnmarshalYAML(n *yaml.Node) error { return scalar(n, s) }

// UnmarshalText parses "50%" or a size.
func (s *Share) UnmarshalText(text []byte) error {
	digits, isPercent := strings.CutSuffix(string(text), "%")
	if !isPercent {
		*s = Share{}
		return s.Bytes.UnmarshalText(text)
	}
	n, err := strconv.ParseUint(digits, 10, 8)
	if err != nil || n > 100 {
		return fmt.Errorf("%q is not a share: write 0%% to 100%%, or a size such as 4GiB", text)
	}
	*s = Share{Percent: int(n)}
	return nil
}

// MarshalText writes what UnmarshalText parses.
func (s Share) MarshalText() ([]byte, error) {
	if s.Percent != 0 {
		return []byte(strconv.Itoa(s.Percent) + "%"), nil
	}
	return s.Bytes.MarshalText()
}

// Of is the share of a whole, in bytes.
func (s Share) Of(whole int64) int64 {
	if s.Percent != 0 {
		return whole / 100 * int64(s.Percent)
	}
	return int64(s.Bytes)
}
