//go:build !linux

package main

import "syscall"

// childAttributes: only Linux ends children with their parent.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
