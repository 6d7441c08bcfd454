package run

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Machine is how much CPU time has been used: by a process (0: none of ours), by all together, and by the host for
// others while we would have run (steal). Zero where the system does not tell.
type Machine struct{ Process, All, Stolen time.Duration }

// tick is the unit of Linux's /proc: USER_HZ is 100 on every platform that Go runs on.
const tick = 10 * time.Millisecond

// ReadMachine reads it now.
func ReadMachine(pid int) Machine {
	var m Machine
	if pid != 0 {
		// Fields 14 and 15, utime and stime, counted from behind the command's closing bracket, which is the second.
		if b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid)); err == nil {
			m.Process = ticks(bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:]), 11, 12)
		}
	}
	if b, err := os.ReadFile("/proc/stat"); err == nil {
		line, _, _ := bytes.Cut(b, []byte("\n"))
		fields := bytes.Fields(line)
		m.All = ticks(fields, 1, 2, 3, 6, 7) // user, nice, system, irq, softirq
		m.Stolen = ticks(fields, 8)
	}
	return m
}

// FamilyTime is the CPU time of a process and of those that it started, ended ones included: that of a server with a
// process for each connection. 0 where the system does not tell.
func FamilyTime(pid int) (sum time.Duration) {
	children, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	for _, child := range append(bytes.Fields(children), strconv.AppendInt(nil, int64(pid), 10)) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%s/stat", child))
		if err != nil {
			continue // it has ended since, and its time is in its parent's, which is read last
		}
		fields := bytes.Fields(b[bytes.LastIndexByte(b, ')')+1:])
		sum += ticks(fields, 11, 12)
		if string(child) == strconv.Itoa(pid) {
			sum += ticks(fields, 13, 14) // of the ended children
		}
	}
	return sum
}

// Switches is how often threads of a process were given a core so far; 0 where the system does not tell.
func Switches(pid int) (sum int64) {
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid)) // the pattern is a good one
	for _, path := range threads {
		b, err := os.ReadFile(path)
		if err != nil {
			continue // the thread has ended since
		}
		for line := range bytes.Lines(b) {
			if name, value, _ := bytes.Cut(line, []byte(":")); bytes.HasSuffix(name, []byte("ctxt_switches")) {
				n, _ := strconv.ParseInt(string(bytes.TrimSpace(value)), 10, 64) // 0 where it is not what we know
				sum += n
			}
		}
	}
	return sum
}

// PeakRSS is the largest resident size of a process so far, in bytes; 0 where the system does not tell. What wait4 says
// is no less than the size of the process that started it, which is this one.
func PeakRSS(pid int) int64 { return status(pid, "VmHWM") }

// RSS is the resident size of a process now, in bytes; 0 where the system does not tell.
func RSS(pid int) int64 { return status(pid, "VmRSS") }

// status is a size in /proc/PID/status, in bytes.
func status(pid int, name string) int64 {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	_, after, _ := bytes.Cut(b, []byte("\n"+name+":"))
	line, _, _ := bytes.Cut(after, []byte(" kB\n"))
	n, _ := strconv.ParseInt(string(bytes.TrimSpace(line)), 10, 64) // 0 where it is not what we know
	return n << 10
}

func ticks(fields [][]byte, at ...int) (sum time.Duration) {
	for _, i := range at {
		if i < len(fields) {
			n, _ := strconv.ParseInt(string(fields[i]), 10, 64) // 0 where it is not what we know
			sum += time.Duration(n) * tick
		}
	}
	return sum
}

// Calm waits until nothing else uses the machine, less than a tenth of a core over two seconds, or until the time is
// up.
func Calm(ctx context.Context, atMost time.Duration) {
	const over = 2 * time.Second
	for end := time.Now().Add(atMost); time.Now().Before(end); {
		before := ReadMachine(0).All
		if !Pause(ctx, over) || ReadMachine(0).All-before < over/10 {
			return
		}
	}
}

// Pause waits; false: ctx ended first.
func Pause(ctx context.Context, d time.Duration) bool {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wait.C:
		return true
	}
}
