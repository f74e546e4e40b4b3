package main

import (
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"time"
)

var nanoseconds = regexp.MustCompile(`(?m)^BenchmarkCompile\S*\s+\d+\s+(\d+) ns/op`)

// compile runs the benchmark of compiling a statement of five joins.
func (s *sqls) compile() error {
	out, err := exec.Command("go", "test", "./engine/pushdown", "-run", "^$", "-bench", "^BenchmarkCompile$", "-benchtime", "200x",
		"-count", strconv.Itoa(s.runs)).CombinedOutput()
	if err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	var took []time.Duration
	for _, m := range nanoseconds.FindAllSubmatch(out, -1) {
		n, _ := strconv.ParseInt(string(m[1]), 10, 64)
		took = append(took, time.Duration(n))
	}
	if took == nil {
		return fmt.Errorf("no figures in %s", out)
	}
	one := median(took)
	s.add("compile a BI statement of 5 joins", fmt.Sprintf("%.2f ms", one.Seconds()*1000), "3 ms", one.Seconds()*1000/3, "≤ 1x")
	return nil
}
