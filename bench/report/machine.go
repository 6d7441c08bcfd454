package report

import (
	"io/fs"
	"runtime"
	"strconv"
	"strings"
)

// ReadMachine says what this machine is, from Linux's /proc, which is given as a file system. What cannot be found
// there stays unknown.
func ReadMachine(proc fs.FS) Machine {
	m := Machine{Cores: runtime.NumCPU(), Go: runtime.Version()}
	if b, err := fs.ReadFile(proc, "cpuinfo"); err == nil {
		m.CPU = field(string(b), "model name")
	}
	if b, err := fs.ReadFile(proc, "meminfo"); err == nil {
		kib, _ := strconv.ParseInt(strings.TrimSuffix(field(string(b), "MemTotal"), " kB"), 10, 64) // 0: unknown
		m.MemoryBytes = kib << 10
	}
	if b, err := fs.ReadFile(proc, "sys/kernel/osrelease"); err == nil {
		m.Kernel = strings.TrimSpace(string(b))
	}
	return m
}

// field is the value of the first line "name : value".
func field(text, name string) string {
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.Join(strings.Fields(value), " ")
		}
	}
	return ""
}
