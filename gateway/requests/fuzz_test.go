package requests

import (
	"bytes"
	"testing"

	"forebay/protocols/nfs/server"
)

// FuzzRead reads files of any content. What is read is what such a file is made of, and opening it leaves one that can be read.
func FuzzRead(f *testing.F) {
	content := []byte(magic)
	for i, s := range []server.Step{server.Intent, server.Outcome, server.Void, server.Unknown, server.Intent} {
		r := record(s, i)
		content = appendRecord(content, &r)
		f.Add(bytes.Clone(content), true)
	}
	f.Add(content[:len(content)-3], true)
	f.Fuzz(func(t *testing.T, content []byte, sealed bool) {
		if sealed {
			seal(content)
		}
		list, err := read(content)
		again := []byte(magic)
		for i := range list {
			again = appendRecord(again, &list[i])
		}
		if len(list) > 0 && !bytes.HasPrefix(content, again) || err == nil && len(content) >= len(magic) && len(again) != len(content) {
			t.Errorf("% x\nis read as\n% x", content, again)
		}
		m := &memory{content: content}
		j, _ := opened(t, m, fileSize)
		want := j.Earlier()
		if j, l := opened(t, m, fileSize); !same(j.Earlier(), want) || l.text.Len() > 0 {
			t.Errorf("it is another one the second time: %s", l.text.String())
		}
	})
}

// seal makes checksums right, as far as lengths are.
func seal(p []byte) {
	for p = p[min(len(magic), len(p)):]; len(p) >= headLength; {
		n := headLength + int(min(mostBody, uint(p[2])<<8|uint(p[3])))
		if n > len(p) {
			return
		}
		sum := checksum(p[:n])
		p[4], p[5], p[6], p[7] = byte(sum>>24), byte(sum>>16), byte(sum>>8), byte(sum)
		p = p[n:]
	}
}
