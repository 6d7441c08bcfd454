package soak

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"tocsin/processor/embedded/child"
	"tocsin/processor/processortest/ports"
	"tocsin/processor/processortest/program"
)

var names = [members]string{"one", "two", "three", "four"}

// condition is what has been done to a process.
type condition int

const (
	away condition = iota
	up
	paused
)

// member is a process with its folder, over all its lives.
type member struct {
	w *world
	program.Member

	program   string // path of the build that it is
	number    int
	config    string
	condition condition
	proc      *child.Process
	lives     []life
	back      time.Time // when it is to come back from what was done to it
	leaves    time.Time // when it is to leave again; zero: it is here to stay
}

// life is the time from a start to the end of the process.
type life struct {
	log    string
	stored map[int32]int64 // position in the changelog on disk when it began, by partition
}

func (w *world) newMember(ctx context.Context, number int) (*member, error) {
	listen, err := ports.FreeAddr(ctx)
	if err != nil {
		return nil, err
	}
	m := &member{w: w, program: w.cfg.Program, number: number, Member: program.Member{
		Instance: names[number], Dir: filepath.Join(w.cfg.Dir, names[number]), HTTP: listen}}
	m.config, err = w.writeConfig(&m.Member)
	return m, err
}

// start begins a life, after noting what is on disk.
func (m *member) start(ctx context.Context) error {
	stored, err := m.inspect(ctx)
	if err != nil {
		return fmt.Errorf("state of %s: %w", m.Instance, err)
	}
	l := life{
		log:    filepath.Join(m.w.cfg.Dir, "logs", fmt.Sprintf("%s-%03d.log", m.Instance, len(m.lives)+1)),
		stored: stored,
	}
	if m.proc, err = program.Start(m.program, m.config, l.log); err != nil {
		return err
	}
	m.lives = append(m.lives, l)
	m.condition = up
	return nil
}

// inspect reads the positions of a process that does not run.
func (m *member) inspect(ctx context.Context) (map[int32]int64, error) {
	if _, err := os.Stat(m.Data()); errors.Is(err, fs.ErrNotExist) {
		return nil, nil //nolint:nilnil // it has not lived yet
	}
	// A process that was killed while it opened its state for the first time may have left less than a whole one.
	out, err := program.Call(ctx, m.program, m.config, "state", "inspect", "--output", "json")
	if err != nil && len(m.lives) > 1 {
		return nil, err
	}
	stored := map[int32]int64{}
	for line := range bytes.Lines(out) {
		var row struct {
			Partition string `json:"partition"`
			Complete  bool   `json:"complete"`
			Next      int64  `json:"next_changelog_offset"`
		}
		if json.Unmarshal(line, &row) != nil || !row.Complete {
			continue
		}
		var p int32
		if _, err := fmt.Sscanf(row.Partition, "0/%d", &p); err != nil {
			return nil, fmt.Errorf("partition %q: %w", row.Partition, err)
		}
		stored[p] = row.Next
	}
	return stored, nil
}

// said tells whether there is a message in the log of the present life.
func (m *member) said(message string) bool {
	b, err := os.ReadFile(m.lives[len(m.lives)-1].log)
	return err == nil && bytes.Contains(b, fmt.Appendf(nil, `"msg":%q`, message))
}

// ended is an error when a process that should run does not.
func (m *member) ended() error {
	if m.condition == away {
		return nil
	}
	select {
	case <-m.proc.Done():
		return fmt.Errorf("process %s ended by itself: %w; its log: %s", m.Instance, m.proc.Err(), m.proc.LogTail(3000))
	default:
		return nil
	}
}

// kill is kill -9.
func (m *member) kill() {
	m.proc.Kill()
	m.condition = away
}

// drain is SIGTERM: the process must end well. One that has not said anything yet may not have come to the point where
// it minds signals.
func (m *member) drain(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for m.proc.LogTail(1) == "" && m.ended() == nil {
		if err := pause(ctx, tick); err != nil {
			return fmt.Errorf("%s says nothing: %w", m.Instance, err)
		}
	}
	err := m.proc.Stop(ctx, syscall.SIGTERM)
	if err == nil {
		err = m.proc.Err()
	}
	m.condition = away
	if err != nil {
		return fmt.Errorf("stop %s: %w; its log: %s", m.Instance, err, m.proc.LogTail(3000))
	}
	return nil
}

// leave makes the members of a process that has ended leave their groups, instead of being waited for.
func (m *member) leave(ctx context.Context) error {
	for _, group := range []string{m.w.app.ID, m.w.app.ID + "-sink"} {
		described, err := m.w.adm.DescribeGroups(ctx, group)
		if err != nil {
			return fmt.Errorf("members of %s: %w", group, err)
		}
		var ids []string
		for _, d := range described[group].Members {
			if d.InstanceID != nil && strings.Contains(*d.InstanceID+"-", "-"+m.Instance+"-") {
				ids = append(ids, *d.InstanceID)
			}
		}
		if len(ids) == 0 {
			continue
		}
		if _, err := m.w.adm.LeaveGroup(ctx, kadm.LeaveGroup(group).InstanceIDs(ids...)); err != nil {
			return fmt.Errorf("leave %s: %w", group, err)
		}
	}
	return nil
}
