package configs

import "regexp"

// The forms of an iSCSI name (RFC 7143 section 4.2.7), as normalised names are: in lower case.
var (
	iqnForm = regexp.MustCompile(`^iqn\.\d{4}-(0[1-9]|1[0-2])\.[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[a-z0-9.:-]+)?$`)
	euiForm = regexp.MustCompile(`^eui\.[0-9a-f]{16}$`)
	naaForm = regexp.MustCompile(`^naa\.([0-9a-f]{16}|[0-9a-f]{32})$`)
)

const maxISCSIName = 223

func (d *document) requireISCSIName(key, name string) {
	if !d.require(key, name) {
		return
	}
	if len(name) > maxISCSIName {
		d.refuse(key, "longer than %d bytes (RFC 7143 section 4.2.7)", maxISCSIName)
		return
	}
	if !iqnForm.MatchString(name) && !euiForm.MatchString(name) && !naaForm.MatchString(name) {
		d.refuse(key, "%q is not an iSCSI name: iqn.YEAR-MONTH.REVERSED.DOMAIN:NAME in lower case, such as iqn.2026-11.io.forebay:disk1, or eui. or naa. and hex digits", name)
	}
}
