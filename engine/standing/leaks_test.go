package standing

import (
	"os"
	"testing"

	"github.com/wiresql/wiresql/testdata/leaks"
)

func TestMain(m *testing.M) { os.Exit(leaks.Main(m)) }
