package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	"forebay/configs"
)

func TestLogLinesForMachines(t *testing.T) {
	var to bytes.Buffer
	log := newLogger(&to, configs.Log{Level: "warn", Format: "json"})
	log.Info().Msg("not asked for")
	log.Warn().Err(errors.New("boom")).Str("volume", "vol1").Msg("told")
	var line struct {
		Level, Volume, Error, Message string
		Time                          int64
	}
	if err := json.Unmarshal(to.Bytes(), &line); err != nil {
		t.Fatalf("%v: %s", err, to.String())
	}
	if line.Level != "warn" || line.Volume != "vol1" || line.Error != "boom" || line.Message != "told" || line.Time < 1e12 {
		t.Errorf("%s", to.String())
	}
}

func TestLogLinesForPeople(t *testing.T) {
	var to bytes.Buffer
	log := newLogger(&to, configs.Log{Level: "debug", Format: "console"})
	log.Debug().Msg("first")
	log.Warn().Err(errors.New("boom")).Str("volume", "vol1").Msg("second")
	lines := strings.Split(strings.TrimSpace(to.String()), "\n")
	for i, form := range []string{`^\d\d:\d\d:\d\d DBG first$`, `^\d\d:\d\d:\d\d WRN second error=boom volume=vol1$`} { // without colours: it is no terminal
		if len(lines) != 2 || !regexp.MustCompile(form).MatchString(lines[i]) {
			t.Errorf("%q", lines)
		}
	}
}
