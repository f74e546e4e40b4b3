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
			fmt.Fprintln(p.stdout, "wiresql", programVersion())
			return nil
		},
	}
}

func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "unknown"
}
