package layering

// pureImports are the packages of the standard library that a pure package may import. Left out on purpose: time's
// neighbours that wait or look at the system (context, os, io/fs, net, runtime, sync), chance (math/rand, crypto/rand,
// hash/maphash), loggers, and reflect and unsafe, with which all of this could be had by the back door.
var pureImports = set(
	"archive/zip", "bytes", "cmp", "embed", "errors", "fmt", "io", "iter", "maps", "math", "math/big", "math/bits",
	"net/netip", "path",
	"regexp", "slices", "sort", "strconv", "strings", "time", "unicode", "unicode/utf16", "unicode/utf8",
	"container/heap", "container/list", "container/ring",
	"encoding", "encoding/base64", "encoding/binary", "encoding/hex", "encoding/json", "encoding/pem",
	"crypto", "crypto/ecdsa", "crypto/ed25519", "crypto/elliptic", "crypto/hmac", "crypto/rsa", "crypto/sha1",
	"crypto/sha256", "crypto/sha512", "crypto/subtle", "crypto/x509",
	"hash", "hash/adler32", "hash/crc32", "hash/crc64", "hash/fnv",
)

// impure are names of allowed packages that a pure package may not use, each with what it does.
var impure = map[string]string{
	"time.Now":       "reads the clock",
	"time.Since":     "reads the clock",
	"time.Until":     "reads the clock",
	"time.Sleep":     "waits",
	"time.After":     "waits",
	"time.AfterFunc": "waits",
	"time.Tick":      "waits",
	"time.NewTicker": "waits",
	"time.NewTimer":  "waits",
	"time.Local":     "depends on the machine",
	// Zone data are compiled in and parsed by LoadLocationFromTZData, the same on every machine.
	"time.LoadLocation": "reads files",

	"fmt.Print":   "writes to standard output",
	"fmt.Printf":  "writes to standard output",
	"fmt.Println": "writes to standard output",
	"fmt.Scan":    "reads standard input",
	"fmt.Scanf":   "reads standard input",
	"fmt.Scanln":  "reads standard input",
	"maps.All":    "has no order; use slices.Sorted(maps.Keys(m))",
	"maps.Keys":   "has no order; use slices.Sorted(maps.Keys(m))",
	"maps.Values": "has no order; use slices.Sorted(maps.Keys(m))",

	"archive/zip.OpenReader":         "reads files",
	"crypto/x509.SystemCertPool":     "reads files",
	"crypto/x509.Certificate.Verify": "reads the clock and files",
	"time.Time.Local":                "depends on the machine",
}

func set(names ...string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, n := range names {
		s[n] = true
	}
	return s
}
