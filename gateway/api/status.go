package api

import "time"

// Status is GET /api/v1/status: one gateway at one moment.
type Status struct {
	Gateway  Gateway     `json:"gateway"`
	Pools    []Pool      `json:"pools"`
	Arrays   []Array     `json:"arrays"`
	Volumes  []Volume    `json:"volumes"`
	Sessions []Session   `json:"sessions"`
	Clients  []NFSClient `json:"clients"`
}

// Gateway names the process that answered.
type Gateway struct {
	Name        string    `json:"name"`
	FaultDomain string    `json:"faultDomain"`
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	ISCSI       []string  `json:"iscsi"`     // addresses that listen
	NFS         []string  `json:"nfs"`       // likewise
	Mount       []string  `json:"mount"`     // likewise, for the MOUNT protocol
	Initiator   string    `json:"initiator"` // iSCSI name that arrays know it by
}

// Pool is what this gateway gives to an acceleration pool.
type Pool struct {
	Name           string `json:"name"`
	RAMBytes       int64  `json:"ramBytes"`
	RAMUsedBytes   int64  `json:"ramUsedBytes"`
	RAMPinnedBytes int64  `json:"ramPinnedBytes"`
	Evictions      uint64 `json:"evictions"`
	// Log is the write log that the gateway gives to the pool, if it does.
	Log *WriteLog `json:"log,omitempty"`
	// Flash is the flash tier that the gateway gives to the pool, if it does.
	Flash *Flash `json:"flash,omitempty"`
}

// WriteLog is a pool's log of acknowledged writes.
type WriteLog struct {
	Bytes             int64    `json:"bytes"` // room for records
	UsedBytes         int64    `json:"usedBytes"`
	SurvivesPowerLoss bool     `json:"survivesPowerLoss"`
	Error             string   `json:"error,omitempty"`  // why it takes nothing any more
	Torn              string   `json:"torn,omitempty"`   // what was cut off its end when the gateway started: writes that had not been acknowledged
	Damage            []string `json:"damage,omitempty"` // what of it can't be read
}

// Array is a storage system behind; Reason says what is wrong, or is empty.
type Array struct {
	Name     string `json:"name"`
	Kind     string `json:"kind"`
	State    string `json:"state"` // attached, away
	Reason   string `json:"reason,omitempty"`
	Bytes    int64  `json:"bytes"`
	Identity string `json:"identity,omitempty"`
	Unfenced bool   `json:"unfenced,omitempty"` // it can't keep other hosts from writing (PROTOCOL D4)
}

// Volume is one served volume with its requested and effective policy (they differ for a reason that is said).
type Volume struct {
	Name      string  `json:"name"`
	Array     string  `json:"array"`
	Pool      string  `json:"pool"`
	Bytes     int64   `json:"bytes"`
	Target    string  `json:"target,omitempty"` // of a LUN
	LUN       uint64  `json:"lun"`
	NAA       string  `json:"naa,omitempty"`
	Export    string  `json:"export,omitempty"` // of an NFS export
	Requested string  `json:"requested"`
	Effective string  `json:"effective"`
	Reason    string  `json:"reason,omitempty"`
	Sessions  int     `json:"sessions"` // of an NFS export: clients that have mounted it
	Reads     Traffic `json:"reads"`
	Writes    Traffic `json:"writes"`
	// HitRate is the share of read blocks, 0 to 1, that the cache of this gateway answered since the start.
	HitRate float64 `json:"hitRate"`
	Latency Split   `json:"latency"`
	// Writeback is of a volume that has a write log; it is there whatever the policy.
	Writeback *Writeback `json:"writeback,omitempty"`
	// Procedures are those of an NFS export that were called.
	Procedures []Procedure `json:"procedures,omitempty"`
}

// Writeback is what of a volume is acknowledged and not on the array.
type Writeback struct {
	DirtyBytes        int64   `json:"dirtyBytes"`
	OldestSeconds     float64 `json:"oldestSeconds"`
	TimeToDestage     float64 `json:"timeToDestageSeconds"`    // 0: not known, or nothing to do
	Held              bool    `json:"held,omitempty"`          // by a barrier
	PausedSeconds     float64 `json:"pausedSeconds,omitempty"` // that write-back is paused for, still
	SurvivesPowerLoss bool    `json:"survivesPowerLoss"`
	Losses            uint64  `json:"losses,omitempty"`       // how often what was acknowledged has been declared lost
	RefusedFiles      int     `json:"refusedFiles,omitempty"` // of which the filer has refused content for good
}

// Procedure counts the calls of an NFS procedure since the start. Not OK are those that ended with another status, as a LOOKUP of a name that is not
// there does.
type Procedure struct {
	Name    string      `json:"name"`
	Calls   uint64      `json:"calls"`
	NotOK   uint64      `json:"notOK"`
	Latency Percentiles `json:"latency"`
}

// Traffic counts what clients asked since the start.
type Traffic struct {
	Operations uint64 `json:"operations"`
	Bytes      uint64 `json:"bytes"`
	Errors     uint64 `json:"errors"`
}

// Split tells where the time went: as the VM observed it, what the cache answered, and what waited for the array.
type Split struct {
	VM        Percentiles `json:"vm"`
	Local     Percentiles `json:"local"`
	Datastore Percentiles `json:"datastore"`
}

// Percentiles of a latency distribution, in microseconds.
type Percentiles struct {
	Count uint64  `json:"count"`
	P50   float64 `json:"p50Microseconds"`
	P99   float64 `json:"p99Microseconds"`
}

// Session is one initiator that is logged in.
type Session struct {
	Initiator string    `json:"initiator"`
	Target    string    `json:"target"`
	Address   string    `json:"address"`
	Since     time.Time `json:"since"`
	Commands  uint64    `json:"commands"`
	InFlight  int       `json:"inFlight"`
}

// NFSClient is one connection of an NFS client.
type NFSClient struct {
	Address  string    `json:"address"`
	Since    time.Time `json:"since"`
	Calls    uint64    `json:"calls"`
	InFlight int       `json:"inFlight"`
}
