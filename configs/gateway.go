package configs

// Gateway is the part of the file that is this process's own.
type Gateway struct {
	// Name of this gateway, unique in the cluster.
	Name string `yaml:"name" json:"name" jsonschema:"required"`
	// Label of what fails together, such as a rack. Default: default.
	FaultDomain string `yaml:"fault-domain" json:"fault-domain"`
	// Folder of the embedded etcd and of what the gateway must remember. It belongs to one gateway.
	DataDir   string    `yaml:"data-dir" json:"data-dir" jsonschema:"required"`
	Listen    Listen    `yaml:"listen" json:"listen"`
	Advertise Advertise `yaml:"advertise" json:"advertise"`
	// What this gateway gives to pools, at most one entry a pool.
	Tiers  []Tier `yaml:"tiers" json:"tiers"`
	Limits Limits `yaml:"limits" json:"limits"`
	TLS    *TLS   `yaml:"tls" json:"tls,omitempty"`
	API    API    `yaml:"api" json:"api"`
	Log    Log    `yaml:"log" json:"log"`
}

// Listen says where the gateway's services listen.
type Listen struct {
	// iSCSI portals. Default: [127.0.0.1:3260].
	ISCSI []Address `yaml:"iscsi" json:"iscsi"`
	// NFS over TCP. Default: 127.0.0.1:2049 where a volume is an NFS export, else off.
	NFS Address `yaml:"nfs" json:"nfs,omitempty"`
	// The MOUNT protocol over TCP. Default: 127.0.0.1:20048 where a volume is an NFS export, else off.
	Mount Address `yaml:"mount" json:"mount,omitempty"`
	// A port mapper for NFS and MOUNT, over TCP and UDP, for clients that aren't told the ports. Default: off.
	Portmap Address `yaml:"portmap" json:"portmap,omitempty"`
	Peers   Address `yaml:"peers" json:"peers,omitempty"`
	// REST, metrics and console. Default: 127.0.0.1:7480.
	API Address `yaml:"api" json:"api"`
}

// Advertise says what clients are told where that differs from what the gateway listens on.
type Advertise struct {
	// The portals that SendTargets answers. Default: the address that the initiator asked.
	ISCSI []Address `yaml:"iscsi" json:"iscsi,omitempty"`
}

// Tier is memory and media that the gateway gives to a pool.
type Tier struct {
	// Name of the pool, which must stand under pools.
	Pool string `yaml:"pool" json:"pool" jsonschema:"required"`
	// Size of the RAM arena, page-locked, at least 1MiB: above a flash tier too, for what is on its way.
	RAM Size `yaml:"ram" json:"ram"`
	// A flash tier for reads below the RAM, which a restart finds again. It may be written once a day as a whole. Without log, and from 512MiB on, an
	// eighth of it, at most 20GiB, at its end, is the write log.
	Flash *Media `yaml:"flash" json:"flash,omitempty"`
	// A device of its own for the write log, for volumes with write: back. Without it that is in the end of the flash, or, where there is none or little, in
	// RAM, a quarter of ram more, and survives nothing.
	Log *Media `yaml:"log" json:"log,omitempty"`
}

// Media is a file or block device of a tier.
type Media struct {
	Path string `yaml:"path" json:"path" jsonschema:"required"`
	// Of a file that is made; of a device, how much of it is used. Default: as large as it is.
	Size Size `yaml:"size" json:"size"`
}

// Limits bound what clients can take of the gateway.
type Limits struct {
	// iSCSI sessions. Default: 256.
	Sessions int `yaml:"sessions" json:"sessions"`
	// Connections that have not logged in. Default: 32.
	Unauthenticated int `yaml:"unauthenticated" json:"unauthenticated"`
	// Time that a login may take. Default: 15s.
	Login Duration `yaml:"login" json:"login"`
	// Bytes that commands of one connection may hold. Default: 16MiB.
	MemoryPerConnection Size `yaml:"memory-per-connection" json:"memory-per-connection"`
}

// TLS names the files for peers, API and etcd.
type TLS struct {
	Cert string `yaml:"cert" json:"cert" jsonschema:"required"`
	Key  string `yaml:"key" json:"key" jsonschema:"required"`
	CA   string `yaml:"ca" json:"ca" jsonschema:"required"`
}

// API settings of the gateway's management interface.
type API struct {
	TokensFile string `yaml:"tokens-file" json:"tokens-file,omitempty"`
}

// Log settings.
type Log struct {
	// Default: info.
	Level string `yaml:"level" json:"level" jsonschema:"enum=trace,enum=debug,enum=info,enum=warn,enum=error"`
	// Lines for machines or for people. Default: json.
	Format string `yaml:"format" json:"format" jsonschema:"enum=json,enum=console"`
}
