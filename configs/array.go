package configs

// Array is a storage system behind: exactly one of ISCSI, NFS, File and Directory is set.
type Array struct {
	Name      string          `yaml:"name" json:"name" jsonschema:"required"`
	ISCSI     *ISCSIArray     `yaml:"iscsi" json:"iscsi,omitempty"`
	NFS       *NFSArray       `yaml:"nfs" json:"nfs,omitempty"`
	File      *FileArray      `yaml:"file" json:"file,omitempty"`
	Directory *DirectoryArray `yaml:"directory" json:"directory,omitempty"`
}

// ISCSIArray is an iSCSI target.
type ISCSIArray struct {
	Portals []Address `yaml:"portals" json:"portals" jsonschema:"required"`
	Target  string    `yaml:"target" json:"target" jsonschema:"required"`
	CHAP    *CHAP     `yaml:"chap" json:"chap,omitempty"`
	// Default: none.
	Digests string `yaml:"digests" json:"digests,omitempty" jsonschema:"enum=none,enum=crc32c"`
	// Registrants-only reservation from attach on (PROTOCOL D7). Default: true.
	Reserve *bool `yaml:"reserve" json:"reserve,omitempty"`
}

// The values of ISCSIArray.Digests.
const (
	DigestsNone   = "none"
	DigestsCRC32C = "crc32c"
)

// NFSArray is an export of an NFS server.
type NFSArray struct {
	// Host name or address.
	Server string `yaml:"server" json:"server" jsonschema:"required"`
	// The directory that is mounted.
	Export string `yaml:"export" json:"export" jsonschema:"required"`
	// Of NFS and of MOUNT, over TCP. Default: what the server's port mapper says.
	Port      int `yaml:"port" json:"port,omitempty"`
	MountPort int `yaml:"mount-port" json:"mount-port,omitempty"`
	// Connections at a time, 1 to 64. Default: 4.
	Connections int `yaml:"connections" json:"connections"`
	// What NFS clients get when the array stays away for longer than their volume's on-array-loss: to try again (hard), or an error (soft).
	// Default: hard.
	Mode string `yaml:"mode" json:"mode" jsonschema:"enum=hard,enum=soft"`
}

// The values of NFSArray.Mode.
const (
	ModeHard = "hard"
	ModeSoft = "soft"
)

// FileArray is a local file or block device.
type FileArray struct {
	// Name of the gateway that has it.
	Gateway string `yaml:"gateway" json:"gateway"`
	Path    string `yaml:"path" json:"path" jsonschema:"required"`
	// What is served of it. A file is made with this size, sparse, when it is attached for the first time. Default: as large as it is.
	Size Size `yaml:"size" json:"size,omitempty"`
	// A device that all gateways see.
	Shared bool `yaml:"shared" json:"shared,omitempty"`
}

// DirectoryArray is a local folder, served as an export.
type DirectoryArray struct {
	// Name of the gateway that has it.
	Gateway string `yaml:"gateway" json:"gateway"`
	// A folder that is there. What is made in it belongs to the users that clients say they are.
	Path string `yaml:"path" json:"path" jsonschema:"required"`
}

// CHAP is a user with its secret, which is read from a file: at least 12 bytes (RFC 7143 section 9.2.1: 96 bits), without the newline at its end.
type CHAP struct {
	User       string `yaml:"user" json:"user" jsonschema:"required"`
	SecretFile string `yaml:"secret-file" json:"secret-file" jsonschema:"required"`
	// The other side's answer in mutual CHAP.
	Mutual *CHAP `yaml:"mutual" json:"mutual,omitempty"`

	// Secret is what Load read. It is never written anywhere.
	Secret []byte `yaml:"-" json:"-"`
}
