package child

import "syscall"

func attributes(cfg Config) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: cfg.DeathSignal}
	if cfg.User != nil {
		attr.Credential = &syscall.Credential{Uid: cfg.User.UID, Gid: cfg.User.GID}
	}
	return attr
}
