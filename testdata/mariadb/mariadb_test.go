package mariadb

import "testing"

func TestStart(t *testing.T) {
	db := Start(t)
	var version, zoned, mode string
	if err := db.QueryRow("SELECT VERSION(), CONVERT_TZ('2026-07-01 12:00:00', 'UTC', 'Europe/Berlin'), @@sql_mode").Scan(&version, &zoned, &mode); err != nil {
		t.Fatal(err)
	}
	t.Log(version, zoned, mode)
	if zoned != "2026-07-01 14:00:00" {
		t.Errorf("the zone is not known: %s", zoned)
	}
	var name string
	if err := db.QueryRow("SELECT CONCAT('test', '-é😀')").Scan(&name); err != nil || name != "test-é😀" {
		t.Errorf("%q, %v", name, err)
	}
}
