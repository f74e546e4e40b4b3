package functions

import _ "vitess.io/vitess/go/vt/vtgate/evalengine" // evaluation stands on it
