package configs

import (
	"fmt"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// Duration is a time span with its unit: 250ms, 5s, 1m30s.
type Duration time.Duration

func (d *Duration) UnmarshalYAML(n *yaml.Node) error { return scalar(n, d) }

// UnmarshalText parses a span that is not negative.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a time span: write a number with ms, s, m or h, such as 5s", text)
	}
	*d = Duration(v)
	return nil
}

// MarshalText writes what UnmarshalText parses.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

func (d Duration) String() string { return time.Duration(d).String() }

// OnArrayLoss says how long commands wait for an array that is away before they are answered NOT READY.
type OnArrayLoss struct {
	Hold time.Duration // 0: fail at once
}

// maxHold bounds the commands that a dead array can pile up; initiators give up far earlier.
const maxHold = 10 * time.Minute

func (o *OnArrayLoss) UnmarshalYAML(n *yaml.Node) error { return scalar(n, o) }

// UnmarshalText parses "fail" or "hold 25s".
func (o *OnArrayLoss) UnmarshalText(text []byte) error {
	if string(text) == "fail" {
		*o = OnArrayLoss{}
		return nil
	}
	span, isHold := strings.CutPrefix(string(text), "hold ")
	var d Duration
	if !isHold || d.UnmarshalText([]byte(span)) != nil || d == 0 || time.Duration(d) > maxHold {
		return fmt.Errorf("%q: write fail, or hold with a time up to 10m, such as hold 25s", text)
	}
	*o = OnArrayLoss{Hold: time.Duration(d)}
	return nil
}

// MarshalText writes what UnmarshalText parses.
func (o OnArrayLoss) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

func (o OnArrayLoss) String() string {
	if o.Hold == 0 {
		return "fail"
	}
	return "hold " + o.Hold.String()
}
