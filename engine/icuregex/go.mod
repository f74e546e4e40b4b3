module github.com/dolthub/go-icu-regex

go 1.26

require vitess.io/vitess v0.24.4
