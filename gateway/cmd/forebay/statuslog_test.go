package main

import (
	"bytes"
	"strings"
	"testing"

	"forebay/gateway/api"
)

func TestStatusShowsWriteLogsAndTheirTrouble(t *testing.T) {
	var out bytes.Buffer
	err := printStatus(&out, api.Status{Pools: []api.Pool{{Name: "plain"}, {Name: "fast", Log: &api.WriteLog{Bytes: 20 << 30, UsedBytes: 3 << 20,
		SurvivesPowerLoss: true, Torn: "frame 7, 2 records", Error: "medium error", Damage: []string{"shard 1", "any shard"}}},
		{Name: "ram", Log: &api.WriteLog{Bytes: 64 << 20}}}})
	if err != nil {
		t.Fatal(err)
	}
	const want = `
WRITE LOG  ROOM      USED     SURVIVES    TORN                TROUBLE
fast       20.0 GiB  3.0 MiB  power-loss  frame 7, 2 records  medium error; shard 1; any shard
ram        64.0 MiB  0 B      nothing     -                   -
`
	if !strings.Contains(out.String(), want) {
		t.Errorf("it prints\n%s", out.String())
	}
}

func TestStatusShowsVolumesThatHaveLostWrites(t *testing.T) {
	var out bytes.Buffer
	err := printStatus(&out, api.Status{Volumes: []api.Volume{{Name: "a"}, {Name: "b", Writeback: &api.Writeback{Losses: 2}}, {Name: "c", Writeback: &api.Writeback{}}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nDATA LOSSES  TIMES\nb            2\n"; !strings.Contains(out.String(), want) {
		t.Errorf("it prints\n%s", out.String())
	}
}

// README: what filers have refused for good is counted.
func TestStatusShowsVolumesOfWhichFilesWereRefused(t *testing.T) {
	var out bytes.Buffer
	err := printStatus(&out, api.Status{Volumes: []api.Volume{{Name: "a"}, {Name: "b", Writeback: &api.Writeback{RefusedFiles: 3}}, {Name: "c", Writeback: &api.Writeback{}}}})
	if err != nil {
		t.Fatal(err)
	}
	if want := "\nREFUSED FILES  FILES\nb              3\n"; !strings.Contains(out.String(), want) || strings.Contains(out.String(), "LOSSES") {
		t.Errorf("it prints\n%s", out.String())
	}
}
