//go:build !linux

package main

import (
	"errors"
	"time"
)

func (b *bench) network(func() error) error { return errors.New("interfaces are captured on Linux") }

func (b *bench) capture(string) error { return nil }

func (b *bench) soak(time.Duration) error { return nil }

// processCPU is not known of another process.
func processCPU(int) time.Duration { return 0 }
