//go:build !linux

package main

import "errors"

func (b *bench) capture() error { return errors.New("interfaces are captured on Linux") }
