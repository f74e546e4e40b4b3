package pushdown
import ("github.com/dolthub/go-mysql-server/sql"; "github.com/wiresql/wiresql/tables")
func errorText(err error) string { return err.Error() }
func testEnv() Env { return Env{Hosts: func(n string) []tables.Lease { return nil }} }
var _ sql.Node
