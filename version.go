package main

import (
	"context"
	"fmt"
	"runtime/debug"
)

func versionCommand() *command {
	return &command{
		summary: "print the version",
		run: func(_ context.Context, p *program, _ []string) error {
			version := "unknown"
			if info, ok := debug.ReadBuildInfo(); ok {
				version = info.Main.Version
			}
			fmt.Fprintln(p.stdout, "wiresql", version)
			return nil
		},
	}
}
