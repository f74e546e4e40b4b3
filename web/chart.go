package web

import (
	"slices"
	"strconv"
	"time"
)

// chart is numbers over time. It is a table that the script draws; who does not
// see pictures reads the table.
type chart struct {
	Title string
	Unit  string // rows, bytes
	Step  int    // seconds of a bin
	Bins  []bin
}

type bin struct {
	Start time.Time
	Value float64
}

// Unix is the bin's start, in seconds.
func (b bin) Unix() int64 { return b.Start.Unix() }

// When is the bin's start as it is read.
func (b bin) When() string { return b.Start.Format("2006-01-02 15:04:05") }

// Number is its value as it is read.
func (b bin) Number() string { return strconv.FormatFloat(b.Value, 'f', -1, 64) }

// parts is how many bins a chart has, about.
const parts = 120

// timesOf counts the rows that are shown by the first column of times; nil
// where there is nothing to see.
func (a *answer) timesOf() *chart {
	at := slices.IndexFunc(a.Columns, func(c column) bool { return c.Time })
	if at < 0 || len(a.Rows) < 2 {
		return nil
	}
	var times []time.Time
	for _, row := range a.Rows {
		if t, err := time.Parse(timeLayout, row[at].Text); err == nil && t.Year() < 9999 {
			times = append(times, t)
		}
	}
	if len(times) < 2 {
		return nil
	}
	slices.SortFunc(times, time.Time.Compare)
	first, last := times[0], times[len(times)-1]
	if first.Equal(last) {
		return nil
	}
	step := span{first.Format(timeLayout), last.Format(timeLayout)}.bin(parts)
	values := map[int64]float64{}
	for _, t := range times {
		values[t.Unix()/int64(step)]++
	}
	return drawn("Rows shown, by "+a.Columns[at].Name, "rows", step, first, last, values)
}

// binned are the values of an answer whose columns are a number of a bin, counted from
// 1970, and what it holds.
func (a *answer) binned(title, unit string, step int, when span) *chart {
	from, until, ok := when.times()
	if !ok || len(a.Rows) == 0 {
		return nil
	}
	values := map[int64]float64{}
	for _, row := range a.Rows {
		n, err1 := strconv.ParseInt(row[0].Text, 10, 64)
		value, err2 := strconv.ParseFloat(row[1].Text, 64)
		if err1 == nil && err2 == nil {
			values[n] = value
		}
	}
	return drawn(title, unit, step, from, until, values)
}

func drawn(title, unit string, step int, from, until time.Time, values map[int64]float64) *chart {
	c := &chart{Title: title, Unit: unit, Step: step}
	first, last := from.Unix()/int64(step), until.Unix()/int64(step)
	for n := first; n <= last && len(c.Bins) < 4*parts; n++ {
		c.Bins = append(c.Bins, bin{time.Unix(n*int64(step), 0).UTC(), values[n]})
	}
	return c
}
