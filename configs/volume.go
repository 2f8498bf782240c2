package configs

// Volume is what is served: an iSCSI LUN over one array, or an NFS export.
type Volume struct {
	Name string `yaml:"name" json:"name" jsonschema:"required"`
	From From   `yaml:"from" json:"from" jsonschema:"required"`
	// Name of the pool that caches it.
	Pool   string       `yaml:"pool" json:"pool" jsonschema:"required"`
	Policy Policy       `yaml:"policy" json:"policy"`
	Limits VolumeLimits `yaml:"limits" json:"limits,omitzero"`
	Rules  []Rule       `yaml:"rules" json:"rules,omitempty"`
	ISCSI  *ISCSIExport `yaml:"iscsi" json:"iscsi,omitempty"`
	NFS    *NFSExport   `yaml:"nfs" json:"nfs,omitempty"`
}

// From says which array, and which part of it, a volume is over.
type From struct {
	Array string `yaml:"array" json:"array" jsonschema:"required"`
	// Of an array behind iSCSI. Default: 0.
	LUN int `yaml:"lun" json:"lun,omitempty"`
	// The file of an array behind NFS, or of a folder, that is a LUN's medium.
	Path string `yaml:"path" json:"path,omitempty"`
}

// Policy is what is asked of a volume; what it gets may differ for a while.
type Policy struct {
	// When a write is acknowledged: when the array has it, or when the replicas have it. Default: through.
	Write    string   `yaml:"write" json:"write" jsonschema:"enum=through,enum=back"`
	Replicas Replicas `yaml:"replicas" json:"replicas,omitzero"`
	// What an acknowledged write outlives (PROTOCOL B8). Default with write: back: power-loss.
	Survives string `yaml:"survives" json:"survives,omitempty" jsonschema:"enum=power-loss,enum=gateway-loss,enum=nothing"`
	// What clients get while the array is away: fail, at once, or hold TIME, at most 10m. Default: fail.
	OnArrayLoss OnArrayLoss `yaml:"on-array-loss" json:"on-array-loss"`
}

// The values of Policy.Write and Policy.Survives.
const (
	WriteThrough = "through"
	WriteBack    = "back"

	SurvivesPowerLoss   = "power-loss"
	SurvivesGatewayLoss = "gateway-loss"
	SurvivesNothing     = "nothing"
)

// Replicas counts peers that hold a write before it is acknowledged, at most two.
type Replicas struct {
	SameDomain  int `yaml:"same-domain" json:"same-domain"`
	OtherDomain int `yaml:"other-domain" json:"other-domain"`
}

// VolumeLimits bound what a volume takes of its pool and its array; 0 is no limit.
type VolumeLimits struct {
	RAMMin    Share  `yaml:"ram-min" json:"ram-min,omitzero"`
	RAMMax    Share  `yaml:"ram-max" json:"ram-max,omitzero"`
	IOPS      int64  `yaml:"iops" json:"iops,omitempty"`
	Bandwidth Size   `yaml:"bandwidth" json:"bandwidth,omitempty"`
	Priority  string `yaml:"priority" json:"priority,omitempty" jsonschema:"enum=low,enum=normal,enum=high"`
}

// Rule gives the files under a path a policy of their own.
type Rule struct {
	Path   string `yaml:"path" json:"path" jsonschema:"required"`
	Policy Policy `yaml:"policy" json:"policy"`
}

// ISCSIExport serves a volume as a LUN.
type ISCSIExport struct {
	// Name of the target, iqn., eui. or naa., in lower case. Volumes that share one share its initiators and CHAP.
	Target string `yaml:"target" json:"target" jsonschema:"required"`
	// 0 to 16383. Default: 0.
	LUN int `yaml:"lun" json:"lun"`
	// Logical block, 512 or 4096 bytes. Default: 512.
	BlockSize int `yaml:"block-size" json:"block-size" jsonschema:"enum=512,enum=4096"`
	// Names that may log in; an asterisk at the end stands for any rest. Default: all.
	Initiators []string `yaml:"initiators" json:"initiators,omitempty"`
	CHAP       *CHAP    `yaml:"chap" json:"chap,omitempty"`
	// Address with prefix length that follows the volume.
	Address string `yaml:"address" json:"address,omitempty"`
}

// NFSExport serves a volume as an NFSv3 export.
type NFSExport struct {
	// What clients mount.
	Export string `yaml:"export" json:"export" jsonschema:"required"`
	// Networks that may use it. Default: all.
	Clients []string `yaml:"clients" json:"clients,omitempty"`
	// Whose requests are made those of anon: nobody's, root's or everybody's. Default: root.
	Squash   string `yaml:"squash" json:"squash" jsonschema:"enum=none,enum=root,enum=all"`
	Anon     Anon   `yaml:"anon" json:"anon"`
	ReadOnly bool   `yaml:"read-only" json:"read-only,omitempty"`
	// Clients must call from a port below 1024.
	SecurePorts bool `yaml:"secure-ports" json:"secure-ports,omitempty"`
	// How long attributes and names are taken for true that others than this gateway may change. 0s: not at all. Default: 3s.
	AttributeCache Duration `yaml:"attribute-cache" json:"attribute-cache"`
	// Nobody but this gateway writes to it. Then a WRITE to a filer that doesn't say what the file was like before (nfs-ganesha) doesn't empty the
	// file's cache; what others change all the same may be noticed late, or never.
	SoleWriter bool `yaml:"sole-writer" json:"sole-writer,omitempty"`
	// Address with prefix length that follows the volume.
	Address string `yaml:"address" json:"address,omitempty"`
}

// The values of NFSExport.Squash.
const (
	SquashNone = "none"
	SquashRoot = "root"
	SquashAll  = "all"
)

// Anon is who squashed users become.
type Anon struct {
	// Default: 65534.
	UID uint32 `yaml:"uid" json:"uid"`
	// Default: 65534.
	GID uint32 `yaml:"gid" json:"gid"`
}
