//go:build unix && !linux

package child

import "syscall"

// attributes has no death signal here: only Linux knows it.
func attributes(cfg Config) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true}
	if cfg.User != nil {
		attr.Credential = &syscall.Credential{Uid: cfg.User.UID, Gid: cfg.User.GID}
	}
	return attr
}
