package main

import "syscall"

// childAttributes: a child gets SIGTERM when we die, even by kill -9, and is
// out of the reach of the terminal's Ctrl-C, which is for us to pass on.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
