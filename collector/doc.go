// Package collector turns the datagrams of exporters into flow rows.
package collector
