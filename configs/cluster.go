package configs

// Etcd is where the control plane's store is: embedded (alone or with peers), or at endpoints.
type Etcd struct {
	Embedded  *EmbeddedEtcd `yaml:"embedded" json:"embedded,omitempty"`
	Endpoints []string      `yaml:"endpoints" json:"endpoints,omitempty"`
}

// EmbeddedEtcd runs in the gateway's process. Empty: alone, on unix sockets under the data folder.
type EmbeddedEtcd struct {
	// Gateway name to peer URL.
	Peers  map[string]string `yaml:"peers" json:"peers,omitempty"`
	Listen Address           `yaml:"listen" json:"listen,omitempty"`
}

// FaultDomain names what fails together, and where its replicas go by preference.
type FaultDomain struct {
	Name     string   `yaml:"name" json:"name" jsonschema:"required"`
	Partners []string `yaml:"partners" json:"partners,omitempty"`
}

// Pool is an acceleration cluster: a name to which gateways give tiers.
type Pool struct {
	Name string `yaml:"name" json:"name" jsonschema:"required"`
}
